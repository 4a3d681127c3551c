# What the guest's first process becomes once the machine's files are its root: loads modules, then either runs the command
# (serve.sh) or becomes systemd, which runs it as a service. bash, because it has to reap what the command leaves behind.
read -r -a modules </run/guest/modules
/sbin/modprobe -a -- "${modules[@]}" &
b=/run/guest/busybox
$b ln -sfn /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do $b ln -sfn "/proc/self/fd/${stream%:*}" "/dev/${stream#*:}"; done
$b ip link set lo up
$b mkfifo /run/guest/out /run/guest/err
if [[ -e /run/guest/files ]]; then
  read -r files </run/guest/files
  # The machine's own cp, since busybox's would write through a link that the machine has in a file's place.
  cp -a --remove-destination "$files/." / || echo "guest: cannot copy $files"
fi
wait

if [[ -e /run/guest/systemd ]]; then
  # A target of our own, with no more than was asked for: what is enabled on this machine has no business here.
  $b mkdir -p /run/systemd/system
  read -r -a units </run/guest/systemd
  printf '[Unit]\nWants=guest.service %s\n' "${units[*]}" >/run/systemd/system/guest.target
  printf '[Unit]\n[Service]\nType=exec\nExecStart=/bin/bash /run/guest/serve.sh\n' >/run/systemd/system/guest.service
  exec /lib/systemd/systemd --unit=guest.target
fi
. /run/guest/serve.sh
