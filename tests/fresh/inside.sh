#!/usr/bin/env bash
# inside.sh ROOT ARG...: called by fresh.sh as the first process of new mount and pid namespaces. Mounts what a program expects
# of a kernel below ROOT, makes it the root of this namespace, and runs ./dev ARG... in a clone there. As pid 1 it stays, and reaps
# what the command leaves. (Not chroot: in one, neither a user namespace nor a container can be made.)
set -euo pipefail
root=$1
shift

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
for device in null zero full random urandom tty; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"

cd "$root"
pivot_root . .
umount -l .
cd /

status=0
# shellcheck disable=SC2016 # "$@" is for the shell inside
/usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb \
  /bin/bash -c 'source /etc/fresh.env && cd /root && git -c advice.detachedHead=false clone -q /tmp/plimsoll.bundle plimsoll && cd plimsoll && ./dev "$@"' \
  dev "$@" </dev/null || status=$?
exit $status
