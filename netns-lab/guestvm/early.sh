#!/bin/busybox sh
# The guest's first process: load what reaches the machine's files, mount them, make them the root.
# Every process started costs tens of milliseconds on an emulated CPU, hence one mount(8) for many mounts.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
while read -r module; do
  $b insmod "/modules/$module" || echo "guest: insmod $module failed"
done </modules/order

share=$($b cat /guest/share)
$b mkdir -p /etc
$b cat >/etc/fstab <<FSTAB
machine /lower 9p trans=virtio,version=9p2000.L,msize=524288,ro,cache=loose 0 0
overlay /root overlay lowerdir=/lower,upperdir=/upper,workdir=/work 0 0
proc /root/proc proc defaults 0 0
sys /root/sys sysfs defaults 0 0
dev /root/dev devtmpfs defaults 0 0
run /root/run tmpfs mode=755 0 0
tmp /root/tmp tmpfs mode=1777 0 0
FSTAB
$b mount -a || echo "guest: cannot mount the machine's files"
$b mkdir -p /root/dev/pts /root/dev/shm "/root$share" "/root/lib/modules/$($b uname -r)"
$b cat >/etc/fstab <<FSTAB
pts /root/dev/pts devpts mode=620,ptmxmode=666 0 0
shm /root/dev/shm tmpfs mode=1777 0 0
debug /root/sys/kernel/debug debugfs defaults 0 0
bpf /root/sys/fs/bpf bpf defaults 0 0
modules /root/lib/modules/$($b uname -r) 9p trans=virtio,version=9p2000.L,msize=524288,ro,cache=loose 0 0
FSTAB
$b mount -a
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose project "/root$share" ||
  echo "guest: cannot mount $share"
$b cp -r /guest /root/run/guest
$b cp $b /root/run/guest/busybox # quicker to start than what has to be linked and read through 9p

# Not switch_root: it would empty the initrd's file system, which holds the overlay's upper folder. This process has
# to change root itself: kernel threads share its root, and that is where they look for /sbin/modprobe.
cd /root
$b mount --move . /
exec $b chroot . /bin/bash /run/guest/init.sh
