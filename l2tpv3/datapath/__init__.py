"""Who moves the frames: base.py is the Protocol, one room (or file) per datapath behind it."""
