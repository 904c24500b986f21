"""The front: dialects that clients speak, over one service module. Loads neither torch nor NumPy nor Pillow."""
