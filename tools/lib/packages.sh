# Installs the packages of tools/packages.txt: sourced by tools/up, tools/check and tools/dev.

# The entries of the given groups as lines: PACKAGE [headers-only:HEADER]
packages_of() {
  local groups=" $* " group package kind
  while read -r group package kind _; do
    [[ -z $group || $group == \#* || $groups != *" $group "* ]] && continue
    [[ $kind == headers-only:* ]] || kind=
    printf '%s %s\n' "$package" "$kind"
  done <"$root/tools/packages.txt"
}

# Of the lines on stdin, the packages (first list) and header packages (second list) that are not there.
missing_packages=()
missing_headers=()
find_missing() {
  local package kind installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  missing_packages=()
  missing_headers=()
  while read -r package kind; do
    if [[ -n $kind ]]; then
      [[ -e /usr/local/include/${kind#headers-only:} ]] || missing_headers+=("$package")
    elif ! grep -qxF -- "$package" <<<"$installed"; then
      missing_packages+=("$package")
    fi
  done
}

# Runs apt-get quietly; its output is shown only when it fails, then a line that says what could not be done.
run_apt() {
  local failure=$1 output
  shift
  output=$(DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" 2>&1 </dev/null) || {
    printf '%s\n' "$output" | tail -n 20 >&2
    die "$failure"
  }
}

# Installs packages. Debian starts the services among them; a policy that says no stands there meanwhile, unless the
# machine has one already. A subshell, so that the policy goes whatever happens.
install_quietly() (
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  run_apt "Debian's packages cannot be installed: $*" install --yes --no-install-recommends "$@"
)

# Unpacks the headers of packages into /usr/local/include without installing them.
unpack_headers() (
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  run_apt "cannot download $*" -o APT::Sandbox::User=root download "$@"
  for archive in *.deb; do
    dpkg -x "$archive" unpacked
  done
  cp -r unpacked/usr/include/. /usr/local/include/
)

# Installs what is missing of the given groups; does nothing, quickly, when nothing is.
install_packages() {
  find_missing < <(packages_of "$@")
  local all=("${missing_packages[@]}" "${missing_headers[@]}")
  ((${#all[@]})) || return 0

  need_root "packages are missing (${all[*]})"
  command -v apt-get >/dev/null || die "needs Debian 12: there is no apt-get to install ${all[*]}"
  local codename
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-unknown}")
  [[ $codename == bookworm ]] || die "needs Debian 12 (bookworm), this is '$codename'; missing: ${all[*]}"

  printf 'Installing %s\n' "${all[*]}" >&2
  run_apt "no network: Debian's package servers cannot be reached" -o APT::Update::Error-Mode=any update
  if ((${#missing_packages[@]})); then
    install_quietly "${missing_packages[@]}"
  fi
  if ((${#missing_headers[@]})); then
    unpack_headers "${missing_headers[@]}"
  fi
}
