# What the guest's first process becomes once the machine's files are its root: runs the command, reports, waits to be
# ended. bash, because it has to reap what the command leaves behind. Port 1 of the virtio console carries our reports.
port=(/dev/vport*p1) port=${port%1}
exec 3>"${port}1"
read -r -a modules </run/guest/modules
/sbin/modprobe -a -- "${modules[@]}" &
b=/run/guest/busybox
$b ln -sfn /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do $b ln -sfn "/proc/self/fd/${stream%:*}" "/dev/${stream#*:}"; done
$b ip link set lo up
$b mkfifo /run/guest/out /run/guest/err
wait

if [[ -e /run/guest/tty ]]; then
  echo up >&3
  setsid --ctty --wait bash /run/guest/command <>/dev/hvc0 >&0 2>&0 3>&-
  status=$?
else
  # Only one process can open a virtio port, so /dev/stderr would not work on it: pipes in between do.
  $b cat /run/guest/out 3>&- >"${port}2" & out=$!
  $b cat /run/guest/err 3>&- >"${port}3" & err=$!
  echo up >&3
  bash /run/guest/command </dev/null >/run/guest/out 2>/run/guest/err 3>&-
  status=$?
  # What is still in the pipes; but a process that the command left behind may hold them open for ever.
  for ((tries = 0; tries < 20; tries++)); do
    kill -0 $out 2>/dev/null || kill -0 $err 2>/dev/null || break
    $b sleep 0.05
  done
fi
$b sync # the shared folder's cache writes back
echo "status $status" >&3
while :; do $b sleep 1000; done
