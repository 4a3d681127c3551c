"""What bench/datapath is made of: a field of two hosts, sides that join them, loads, rows and a picture."""
