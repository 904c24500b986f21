"""One file for each command of `easel`; each is a typer function that `cli.__main__` registers."""
