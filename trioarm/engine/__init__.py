"""The engine on trio: tasks, channels, cancel scopes. It knows ports, never adapters, and nothing of alarm systems."""
