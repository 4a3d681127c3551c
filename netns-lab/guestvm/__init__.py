"""A throw-away virtual machine: Debian's stock kernel over this machine's own root file system.

    command.py   the command line: options, environment, exit status
    needs.py     the programs this takes, installed with apt when they are missing
    kernel.py    the kernel package: downloaded once, unpacked, its image made quick to boot
    initrd.py    the first file system: busybox, the few modules needed to reach the machine's files, the command
    early.sh     the guest's first process: mounts this machine's files and changes root to them
    init.sh      what the first process becomes: loads modules, runs the command, reports its status
    machine.py   QEMU itself: its arguments, its streams, its end

Standard library only: it has to run before there is a virtual environment.
"""
