"""The dialect of one pipeline for each caller: select a device, run, ask whether it is done, fetch the picture."""
