"""The `easel` command: a client of the gateway's HTTP API, and the launcher that runs all of Easel on one machine.

    __main__.py   the command line and its exit codes
    commands/     one file for each command
    client/       HTTP, server-sent events
    launcher/     `easel up`: NATS, gateway and workers as supervised processes

May import `runtime.process` and the settings of the services; talks to the rest over HTTP alone.
"""
