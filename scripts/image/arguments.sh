# Arguments of the kernel for the boot image, as functions that init.sh and tests use. They read
# the command line of the kernel from the file "$cmdline", and change nothing.

known="source token task disk interface ip group"

# Prints the value of an argument: argument NAME
argument() {
  set -f
  for word in $(cat "$cmdline"); do
    case "$word" in "flockcast.$1="*) set +f; echo "${word#*=}"; return ;; esac
  done
  set +f
}

# Prints a sentence for each argument that is not known, or that has no value.
argument_problems() {
  set -f
  for word in $(cat "$cmdline"); do
    case "$word" in flockcast.*) ;; *) continue ;; esac
    name=${word#flockcast.}
    name=${name%%=*}
    case " $known " in
      *" $name "*) ;;
      *) echo "\"flockcast.$name\" is not an argument of this boot image: it has $(echo "$known" | sed 's/[a-z]*/flockcast.&/g')"; continue ;;
    esac
    case "$word" in
      *=?*) ;;
      *) echo "\"flockcast.$name\" has no value: write flockcast.$name=VALUE" ;;
    esac
  done
  set +f
  case $(argument ip) in
    "" | ?*:*.*.*.*/*) ;;
    *) echo "\"flockcast.ip=$(argument ip)\" is not an address: write flockcast.ip=NAME:ADDRESS/BITS" ;;
  esac
}

# Prints the identity of the source in a token, or in the file "pin": identity_in TEXT
identity_in() {
  rest=${1#*.}
  [ "$rest" != "$1" ] && echo "${rest%%.*}"
}

# Prints why a token does not belong to the source of the boot image: token_problem TOKEN PIN
token_problem() {
  case "$1" in
    fc_e*.*) ;;
    *) echo "the enrolment token is not one: it begins with fc_e; copy the whole line that token create prints"; return ;;
  esac
  [ -z "$2" ] && return
  [ "$(identity_in "$1")" = "$(identity_in "$2")" ] ||
    echo "the enrolment token is of another source than this boot image: make a boot image for that source"
}
