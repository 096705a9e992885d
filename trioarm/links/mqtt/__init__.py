"""MQTT: one connection to one broker, kept up for as long as it is wanted, and what is said and heard over it.

A message is acknowledged by the broker or it failed, in the time its sender gives it: nothing waits here for better
days, since a command that arrives late is worse than none. And what was heard is believed for as long as the connection
stands over which it came. It can be imported without paho-mqtt, which brings the packets.
"""

from trioarm.links.mqtt.broker import Broker, Limits, MqttFailed, Tls, Version, Will
from trioarm.links.mqtt.inbox import Message, Subscription
from trioarm.links.mqtt.link import Mqtt
from trioarm.links.mqtt.topics import InvalidTopic, check_filter, check_topic, matches

__all__ = [
    "Broker",
    "InvalidTopic",
    "Limits",
    "Message",
    "Mqtt",
    "MqttFailed",
    "Subscription",
    "Tls",
    "Version",
    "Will",
    "check_filter",
    "check_topic",
    "matches",
]
