"""The examples that ship are run: real files, real signals, real sockets, and virtual time where they use it."""
