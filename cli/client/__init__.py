"""The gateway's HTTP API as the commands need it. Imports httpx where a request is made, never before."""
