# Text in, statistics out: split, regular expressions, hashes of arrays, sorts, string building.
use strict;
use warnings;

my (%count, %follows, %by_length, @numbers);
open(my $text, '<', $ARGV[0]) or die "cannot read $ARGV[0]: $!";
my $previous = '';
my $lines = 0;
while (my $line = <$text>) {
    chomp $line;
    $lines++;
    push @numbers, $1 while $line =~ /\b(\d+)\b/g;
    $line =~ s/(\w+)@(\w+)\.org/<$1 at $2>/g;
    for my $word (split /\W+/, lc $line) {
        next unless length $word;
        $count{$word}++;
        $follows{$previous}{$word}++ if $previous ne '';
        $previous = $word;
    }
}
close $text;
push @{$by_length{length $_}}, $_ for keys %count;

my @common = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 9];
print "lines $lines, words ", scalar(keys %count), "\n";
print join(' ', map { "$_=$count{$_}" } @common), "\n";
print join(' ', map { "$_:" . scalar(@{$by_length{$_}}) } sort { $a <=> $b } keys %by_length), "\n";
for my $word (@common[0 .. 4]) {
    my $next = $follows{$word};
    my @best = (sort { $next->{$b} <=> $next->{$a} || $a cmp $b } keys %$next)[0 .. 2];
    print "$word -> @best\n";
}
my $sum = 0;
$sum += $_ for @numbers;
print 'numbers ', scalar(@numbers), " $sum\n";
print 'index ', length(join ';', map { "$_," . join ',', sort @{$by_length{$_}} } sort keys %by_length), "\n";
