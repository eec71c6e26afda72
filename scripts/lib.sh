# What ./check and ./demo share. Sourced with the project's folder as working directory.
# shellcheck shell=bash

# The project's own C++ files.
own_sources() {
  find include src servers cli examples tests bench fuzz preload -type f \( -name '*.h' -o -name '*.cpp' \) 2>/dev/null |
    sort
}

# Says why shared regions can't be mapped here; nothing when they can.
why_no_passthrough() {
  local release major minor
  release=$(uname -r)
  IFS=.- read -r major minor _ <<<"$release"
  if [[ $(id -u) -ne 0 ]]; then
    echo "that needs root"
  elif [[ ! -c /dev/fuse ]]; then
    echo "there's no /dev/fuse; modprobe fuse brings it, where the kernel has it"
  elif ((major < 6 || (major == 6 && minor < 9))); then
    echo "that needs Linux 6.9, and this is $release"
  elif ! grep -qE '^ *0 +0 +4294967295$' /proc/self/uid_map; then
    echo "that needs the initial user namespace"
  elif (((16#$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 21 & 1) == 0)); then
    echo "root lacks CAP_SYS_ADMIN here, as in most containers"
  fi
}

can_pass_through() { [[ -z $(why_no_passthrough) ]]; }
