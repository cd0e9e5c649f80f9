# A client of servicemgr's bus, for what ability-manager asks and ensctl does not:
#
#   services.pl watch PREFIX                              each end in a line, for ever
#   services.pl launch NAME UID FILE [PERMISSION...]      FILE: the definition
#   services.pl prepare UID FILE [PERMISSION...]
#   services.pl priority NAME SCORE | kill NAME | forget NAME

use strict;
use warnings;
use Socket;

$| = 1;

# Values, one behind the other, as D-Bus has them on the wire.
sub padded { my ($data, $to) = @_; $data . "\0" x (-length($data) % $to) }

sub put {
    my ($data, $kind, $value) = @_;
    return $data . pack("C/a* x", $value) if $kind eq "g";
    $data = padded($data, 4);
    return $data . pack("V/a* x", $value) if $kind =~ /^[so]$/;
    return $data . pack("l<", $value) if $kind =~ /^[ui]$/;
    my $items = "";
    $items = put($items, "s", $_) for @$value;
    return $data . pack("V/a*", $items);
}

sub message {
    my ($member, @arguments) = @_;
    my ($body, $signature, $fields) = ("", "", "");
    while (my ($kind, $value) = splice @arguments, 0, 2) {
        $body = put($body, $kind, $value);
        $signature .= $kind;
    }
    my @all = ([1, "o", "/org/ensemble/Services"], [2, "s", "org.ensemble.Services1"], [3, "s", $member],
        [8, "g", $signature]);
    $fields = put(padded($fields, 8) . pack("C2 a x", $$_[0], 1, $$_[1]), $$_[1], $$_[2]) for @all;
    return padded("l\1\0\1" . pack("V3", length $body, 1, length $fields) . $fields, 8) . $body;
}

# Texts and numbers, in this order.
sub values_of {
    my ($body, $kinds) = @_;
    my ($at, @all) = (0);
    for my $kind (split //, $kinds) {
        $at += -$at % 4;
        my $number = unpack "l<", substr $body, $at;
        push @all, $kind eq "i" ? $number : substr $body, $at + 4, $number;
        $at += 4 + ($kind eq "i" ? 0 : $number + 1);
    }
    return @all;
}

sub begin {
    socket(my $line, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
    connect($line, pack_sockaddr_un("/run/ensemble/services.sock")) or return;
    syswrite $line, "\0AUTH EXTERNAL 30\r\n";
    my $answer = <$line>;
    return if !defined $answer || $answer !~ /^OK/;
    syswrite $line, "BEGIN\r\n";
    return $line;
}

# Type and body of the next message; nothing when nobody is there any more.
sub hear {
    my ($line) = @_;
    return if (read($line, my $head, 16) // 0) < 16;
    my (undef, $type, undef, undef, $length, undef, $fields) = unpack "C4 V3", $head;
    my $rest = $fields + -$fields % 8;
    return if $rest && (read($line, my $skipped, $rest) // 0) < $rest;
    my $body = "";
    return if $length && (read($line, $body, $length) // 0) < $length;
    return ($type, $body);
}

sub told { my ($body) = @_; print "end: ", join(" ", values_of($body, "ssis")), "\n" }

# Says what came of it.
sub ask {
    my $line = begin() or die "servicemgr is not there\n";
    syswrite $line, message(@_);
    my ($type, $body) = hear($line) or die "servicemgr hung up\n";
    if ($type == 3) {
        print "refused: ", values_of($body, "s"), "\n";
        exit 1;
    }
    print "done\n";
}

sub watch {
    my ($prefix) = @_;
    while (1) {
        my $line = begin();
        syswrite $line, message("WatchEnds", "s", $prefix) if $line;
        while ($line and my ($type, $body) = hear($line)) {
            print "watching\n" if $type == 2;
            told($body) if $type == 4;
        }
        select undef, undef, undef, 0.05;
    }
}

sub text { my ($path) = @_; open my $file, "<", $path or die "$path: $!\n"; local $/; return <$file> }

my ($what, @rest) = @ARGV;
if ($what eq "watch") {
    watch(@rest);
} elsif ($what eq "launch") {
    my ($name, $uid, $file, @granted) = @rest;
    ask("Launch", "s", $name, "s", text($file), "u", $uid, "as", \@granted, "as", []);
} elsif ($what eq "prepare") {
    my ($uid, $file, @granted) = @rest;
    ask("Prepare", "s", text($file), "u", $uid, "as", \@granted);
} elsif ($what eq "priority") {
    ask("SetPriority", "s", $rest[0], "i", $rest[1]);
} else {
    ask({ kill => "Kill", forget => "ForgetApp" }->{$what}, "s", $rest[0]);
}
