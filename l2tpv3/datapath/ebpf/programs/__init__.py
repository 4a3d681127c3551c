"""The programs of the ebpf datapath, assembled instruction by instruction."""
