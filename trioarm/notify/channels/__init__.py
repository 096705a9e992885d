"""Channels: the ways to people, one module for each kind."""

from __future__ import annotations

from typing import assert_never

from trioarm.engine.ports import Clock
from trioarm.notify.channels.apprise import AppriseChannel
from trioarm.notify.channels.base import Channel
from trioarm.notify.channels.command import CommandChannel
from trioarm.notify.channels.mqtt import MqttChannel
from trioarm.notify.channels.ntfy import NtfyChannel
from trioarm.notify.channels.smtp import SmtpChannel
from trioarm.notify.channels.webhook import WebhookChannel
from trioarm.notify.model import AppriseWay, ChannelSettings, CommandWay, MqttWay, NtfyWay, SmtpWay, WebhookWay

__all__ = ["make_channel"]


def make_channel(settings: ChannelSettings, clock: Clock) -> Channel:
    """Return what carries messages out by the way that the settings name."""
    way = settings.way
    match way:
        case AppriseWay():
            return AppriseChannel(way)
        case SmtpWay():
            return SmtpChannel(way, settings.timeout_s, clock)
        case NtfyWay():
            return NtfyChannel(way, settings.timeout_s)
        case WebhookWay():
            return WebhookChannel(way, settings.timeout_s, clock)
        case CommandWay():
            return CommandChannel(way)
        case MqttWay():
            return MqttChannel(way, settings.timeout_s)
        case _:
            assert_never(way)
