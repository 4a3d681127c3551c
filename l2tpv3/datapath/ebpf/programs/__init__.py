"""The programs that are given to the kernel, instruction by instruction."""
