#!/bin/sh
# Makes, in the present directory, what the commands of commands.table work on. The same on every run.
set -eu

awk 'BEGIN {
  s = 12345
  for (i = 0; i < 20000; i++) {
    w = ""
    for (j = 0; j < 4 + i % 5; j++) { s = (s * 69069 + 1) % 4294967296; w = w sprintf("%c", 97 + int(s / 65536) % 26) }
    print w " foo" i % 100 " " i
  }
}' > words.txt
awk 'NR % 37 != 0 { print } NR % 101 == 0 { print "inserted", NR }' words.txt > other.txt
awk '{ print $1 "," NR * 7 % 1000 "," $2 }' words.txt > table.csv
awk 'BEGIN { s = 99; for (i = 0; i < 30000; i++) { s = (s * 69069 + 1) % 4294967296; print "key" s, int(s / 7) % 10007, "some text to sort", i } }' > big.txt
awk 'BEGIN { printf "["; for (i = 0; i < 5000; i++) printf "%s{\"n\": %d, \"name\": \"name%d\", \"tags\": [%d, null, true]}", i ? "," : "", i, i, i * 3; print "]" }' > data.json

cat > work.py <<'END'
import collections, json, re
words = [line.split() for line in open("words.txt")]
print(collections.Counter(w[1] for w in words).most_common(5))
tree = {}
for w in words:
    tree.setdefault(w[0][:2], []).append(w[0])
print(sum(len(sorted(v)) for v in tree.values()), len(json.dumps(tree)))
print(len(re.findall(r"(?:[aeiou][^aeiou ]){2}", open("words.txt").read())))
print(sum(int(d) for n in range(3000, 4000, 50) for d in str(3 ** n)))
matrix = [[i * j % 10 for j in range(200)] for i in range(200)]
print(sum(map(sum, zip(*matrix))))
END
cat > threads.py <<'END'
import queue, threading
todo, done = queue.Queue(), queue.Queue()
def work():
    while (n := todo.get()) is not None:
        done.put((n, len("x" * n + str([{i: str(i)} for i in range(n % 300)]))))
threads = [threading.Thread(target=work) for _ in range(8)]
for t in threads: t.start()
for n in range(3000): todo.put(n)
for t in threads: todo.put(None)
for t in threads: t.join()
print(sum(size for _, size in sorted(done.queue)))
END
cat > work.pl <<'END'
use strict; use warnings; use List::Util qw(sum); use Data::Dumper;
my (%by, @all);
open my $f, '<', 'words.txt' or die;
while (<$f>) { chomp; my ($a, $b, $n) = split; push @{$by{$b}}, $a; push @all, $n if $a =~ /[aeiou]{2}/; }
print scalar(keys %by), ' ', sum(@all), ' ', length(Dumper(\%by)), "\n";
my $s = join ',', map { $_ x 3 } sort map { @$_ } values %by;
print length($s), ' ', ($s =~ tr/a//), "\n";
END
cat > work.php <<'END'
<?php
$by = [];
foreach (file('words.txt') as $line) { [$w, $tag, $n] = explode(' ', trim($line)); $by[$tag][] = strrev($w); }
ksort($by);
foreach (array_slice($by, 0, 5) as $tag => $list) { sort($list); echo $tag, ' ', count($list), ' ', $list[0], "\n"; }
echo strlen(json_encode($by)), ' ', md5(serialize($by)), "\n";
class Node { public $next; public $data; function __construct($n, $d) { $this->next = $n; $this->data = $d; } }
for ($list = null, $i = 0; $i < 50000; $i++) $list = new Node($list, str_repeat('x', $i % 50));
for ($sum = 0; $list; $list = $list->next) $sum += strlen($list->data);
echo $sum, ' ', strlen(gzcompress(str_repeat('abc', 100000))), "\n";
END
cat > work.lua <<'END'
local by, n = {}, 0
for line in io.lines("words.txt") do
  local w, tag = line:match("(%S+) (%S+)")
  by[tag] = by[tag] or {}
  table.insert(by[tag], w:upper()); n = n + #w
end
local keys = {}
for k, v in pairs(by) do table.sort(v); keys[#keys + 1] = k .. v[1] end
table.sort(keys)
print(n, #keys, table.concat(keys, " "):sub(1, 60))
local s = {}
for i = 1, 100000 do s[i] = tostring(i):rep(i % 5) end
print(#table.concat(s))
END
cat > work.tcl <<'END'
set f [open words.txt]; set n 0
while {[gets $f line] >= 0} { lassign $line w tag i; lappend by($tag) $w; incr n [string length $w] }
puts "$n [array size by] [lindex [lsort $by(foo7)] 0]"
for {set i 0} {$i < 30000} {incr i} { dict set d $i [string repeat x [expr {$i % 40}]] }
puts "[dict size $d] [string length $d] [llength [regexp -all -inline {x+} $d]]"
END
cat > work.sh <<'END'
n=0
while read -r word tag rest; do
  case $word in a*) n=$((n + ${#word})); list="$list $tag";; esac
done < words.txt
echo "$n ${#list} $(echo $list | wc -w)"
f() { [ "$1" -le 1 ] && echo 1 || echo $(($1 * $(f $(($1 - 1))))); }
f 12
END
cat > work.sql <<'END'
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
  insert into t select i, printf('text %d', i * 7919 % 20000), i / 3.0 from n;
create index t_b on t(b);
select count(*), round(sum(c), 3), max(b), group_concat(a % 7) = '' from t;
select x.a, y.b from t x join t y on x.a = y.a + 1 where x.b like '%99' order by y.b desc limit 10;
delete from t where a % 3 = 0;
update t set b = b || b;
select length(group_concat(b)) from t;
END

mkdir src
cat > src/program.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct node { struct node *next; char text[24]; };
int main(void) {
  struct node *list = NULL; int n = 0;
  for (int i = 0; i < 1000; i++) { struct node *x = malloc(sizeof *x); sprintf(x->text, "node %d", i); x->next = list; list = x; }
  while (list) { struct node *x = list; list = x->next; n += (int)strlen(x->text); free(x); }
  printf("%d\n", n); return 0;
}
END
cat > src/program.cpp <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>
int main() {
  std::map<std::string, std::vector<std::unique_ptr<int>>> m;
  for (int i = 0; i < 5000; ++i) m[std::to_string(i * 7919 % 500)].push_back(std::make_unique<int>(i));
  int sum = 0;
  for (auto& [k, v] : m) if (k[0] < '4') for (auto& p : v) sum += *p;
  std::cout << m.size() << ' ' << sum << '\n';
}
END
printf 'CFLAGS = -O1\nprogram: program.c\n\t$(CC) $(CFLAGS) -o $@ $<\n' > src/Makefile
printf 'cmake_minimum_required(VERSION 3.20)\nproject(p C)\nadd_executable(program program.c)\n' > src/CMakeLists.txt

export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
git init -q -b main repo
cd repo
git config user.name Tester
git config user.email tester@example.org
for i in 1 2 3 4 5 6 7 8 9 10; do
  awk -v n="$i" 'NR % 10 == n % 10 { print "line", $0 }' ../words.txt > "file$((i % 4)).txt"
  git add .
  git commit -qm "Change $i"
done
