#!/bin/bash
# Installs into a prefix, moves it elsewhere, and uses it as somebody else's project would: with
# find_package, with pkg-config, and with the installed command.
#   install_test.sh BUILD_DIR VERSION
set -euo pipefail

build=$1 version=$2
consumer=$(cd "$(dirname "$0")" && pwd)/consumer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }
expect() {  # expect TEXT COMMAND...: the command succeeds and prints TEXT
  local want=$1 got; shift
  got=$("$@") || fail "$* ended with $?, printing: $got"
  [[ $got == "$want" ]] || fail "$* printed '$got', not '$want'"
}

cmake --install "$build" --prefix "$work/first" > "$work/install.log"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
for file in include/hakmem/{hakmem.h,hakmem.hpp,new_delete.hpp} bin/hakmem share/man/man1/hakmem.1 \
  share/bash-completion/completions/hakmem libexec/hakmem/libhakmem_sampler.so; do
  [[ -f $prefix/$file ]] || fail "$file is not installed"
done
if grep -rlF "$work/first" "$prefix"; then fail "the files above name the prefix"; fi

# find_package
cmake -S "$consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
  -DHAKMEM_VERSION="$version" > "$work/configure.log"
cmake --build "$work/build" -j 2 > "$work/build.log" || { cat "$work/build.log"; fail "build"; }
expect "malloc from libhakmem.so.0, new from libhakmem.so.0" "$work/build/consumer_shared"
expect "malloc from consumer_static, new from consumer_static" "$work/build/consumer_static"
expect "malloc from consumer_wordless" "$work/build/consumer_wordless"
expect "malloc from libc.so.6, new from consumer_core" "$work/build/consumer_core"

# pkg-config
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name hakmem.pc)")
export PKG_CONFIG_PATH
expect "$version" pkg-config --modversion hakmem
libdir=$(pkg-config --variable=libdir hakmem)
# shellcheck disable=SC2046  # the flags are words
g++ -std=c++17 -o "$work/with_pc" "$consumer/consumer.cpp" \
  $(pkg-config --cflags --libs hakmem) -Wl,-rpath,"$libdir"
expect "malloc from libhakmem.so.0, new from libhakmem.so.0" "$work/with_pc"
# shellcheck disable=SC2046
g++ -std=c++17 -o "$work/with_core_pc" "$consumer/consumer.cpp" "$consumer/new_delete.cpp" \
  $(pkg-config --cflags --libs hakmem-core)
expect "malloc from libc.so.6, new from with_core_pc" "$work/with_core_pc"

# Any compiler, any standard, with all warnings, with and without exceptions and RTTI.
strict=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only
  "-I$(pkg-config --variable=includedir hakmem)")
without=(-fno-exceptions -fno-rtti)
for source in consumer.cpp new_delete.cpp; do
  g++ -std=c++17 "${strict[@]}" "$consumer/$source"
  g++ -std=c++20 "${strict[@]}" "${without[@]}" "$consumer/$source"
  clang++ -std=c++17 "${strict[@]}" "${without[@]}" "$consumer/$source"
  clang++ -std=c++20 "${strict[@]}" "$consumer/$source"
done
for standard in c99 c11 c17; do
  for compiler in gcc clang; do "$compiler" "-std=$standard" "${strict[@]}" "$consumer/header.c"; done
done

# The installed command finds the installed library.
# shellcheck disable=SC2016  # for the inner shell
expect "$(realpath "$libdir")/libhakmem.so.0" "$prefix/bin/hakmem" run -- sh -c 'echo $LD_PRELOAD'
echo "installed, found and used"
