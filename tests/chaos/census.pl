#!/usr/bin/perl
# census.pl SOCKET LABEL QUIET_MS MAX_MS -- watches what of LABEL is on the
# engine until it has had nothing for QUIET_MS, MAX_MS at most. Prints after how
# many ms there was nothing any more, then what is left, a line each.
# SOCKET all: every container, network and volume there is, once.
use strict;
use warnings;
use IO::Socket::UNIX;
use JSON::PP;
use Time::HiRes qw(time sleep);

my ($path, $label, $quiet, $max) = @ARGV;

# The answer of a GET; undef when the engine does not answer.
sub get {
    my ($what) = @_;
    my $s = IO::Socket::UNIX->new(Peer => $path) or return undef;
    local $SIG{PIPE} = 'IGNORE';
    print $s "GET $what HTTP/1.0\r\nHost: engine\r\n\r\n" or return undef;
    local $/;
    my $all = <$s>;
    return undef unless defined $all && $all =~ m{^HTTP/1\.\d 200.*?\r\n\r\n(.*)}s;
    return eval { decode_json($1) };
}

sub everything {
    my ($filter) = @_;
    my @found;
    for my $kind (qw(containers networks volumes)) {
        my $list = get($kind eq 'containers' ? "/containers/json?all=1$filter" : "/$kind?x=1$filter");
        return undef unless defined $list;
        $list = $list->{Volumes} || [] if ref $list eq 'HASH';
        # The engine's own networks get new ids when it starts.
        push @found, "$kind " . ($_->{Names} ? "$_->{Names}[0] $_->{Id}" : $_->{Name}) for @$list;
    }
    return [sort @found];
}

if ($label eq 'all') {
    my $all = everything('') or exit 1;
    print map { "$_\n" } @$all;
    exit 0;
}
my $filters = encode_json({ label => [$label] });
$filters =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ge;
my ($begun, $last, $found) = (time, 0, undef);
while (1) {
    my $now = everything("&filters=$filters");
    my $ms = int(1000 * (time - $begun));
    if (!defined $now || @$now) {
        $last = $ms;
        $found = $now || ['the engine does not answer'];
    }
    elsif ($ms - $last >= $quiet) {
        $found = [];
        last;
    }
    last if $ms > $max;
    sleep 0.02;
}
print "$last\n", map { "$_\n" } @$found;
