# What the kernel does with the content of a bundle:
#
#   sealed.pl seal FILE       fs-verity is switched on; its digest
#   sealed.pl measure FILE    the digest that the kernel keeps
#   sealed.pl mount FILE AT   as EROFS, from the plain file
#   sealed.pl spoil FILE AT   another byte on the disk at this place of the file, past the file system

use strict;
use warnings;

my ($do, $path, $at) = @ARGV;
open(my $file, "<", $path) or die "$path: $!\n";
binmode($file);

sub measure {
    my $digest = pack("SS x32", 0, 32);
    ioctl($file, 0xc0046686, $digest) or die "measuring $path: $!\n";
    my ($hash, $length, $bytes) = unpack("SSa32", $digest);
    return unpack("H*", $bytes);
}

# The partition called state.
sub disk {
    for my $uevent (glob("/sys/class/block/*/uevent")) {
        open(my $about, "<", $uevent) or next;
        return "/dev/$1" if join("", <$about>) =~ /PARTNAME=state/ && $uevent =~ m{block/(.*)/uevent};
    }
    die "no partition is called state\n";
}

# Where a byte of the file lies on the disk.
sub place {
    my $map = pack("QQLLLL x56", $at, 1, 1, 0, 1, 0);
    ioctl($file, 0xc020660b, $map) or die "asking where $path lies: $!\n";
    my (undef, undef, undef, $count, undef, undef, $logical, $physical) = unpack("QQLLLLQQ", $map);
    $count == 1 or die "byte $at of $path is nowhere\n";
    return $physical + $at - $logical;
}

if ($do eq "seal") {
    # Version 1, SHA-256, blocks of 4096.
    my $how = pack("LLL x116", 1, 1, 4096);
    defined(ioctl($file, 0x40806685, $how)) or die "sealing $path: $!\n";
    print measure(), "\n";
} elsif ($do eq "measure") {
    print measure(), "\n";
} elsif ($do eq "mount") {
    # Read-only, no set-id, no devices.
    my ($kind, $options) = ("erofs", "");
    syscall(165, $path, $at, $kind, 1 | 2 | 4, $options) == 0 or die "mounting $path: $!\n";
} elsif ($do eq "spoil") {
    seek($file, $at, 0);
    read($file, my $byte, 1);
    my ($disk, $place) = (disk(), place());
    open(my $raw, "+<:raw", $disk) or die "$disk: $!\n";
    sysseek($raw, $place, 0);
    sysread($raw, my $there, 1);
    $there eq $byte or die "byte $place of $disk is not byte $at of $path\n";
    sysseek($raw, $place, 0);
    syswrite($raw, chr(ord($byte) ^ 1)) == 1 or die "writing to $disk: $!\n";
    print "spoilt\n";
}
