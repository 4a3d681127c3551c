"""BPF: programs, maps and the system call bpf(2)."""
