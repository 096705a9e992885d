"""Home Assistant: one WebSocket to one instance, kept up for as long as it is wanted, and REST while there is none.

What is told over the WebSocket is believed for as long as it stands. A service is called once: it was answered, or
nobody knows what became of it. It can be imported without wsproto, which brings the frames.
"""

from trioarm.links.homeassistant.instance import HomeAssistantFailed, Instance, Limits, Refused
from trioarm.links.homeassistant.link import HomeAssistant
from trioarm.links.homeassistant.states import State

__all__ = ["HomeAssistant", "HomeAssistantFailed", "Instance", "Limits", "Refused", "State"]
