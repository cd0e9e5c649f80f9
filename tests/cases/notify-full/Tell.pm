# Says something to servicemgr, with a descriptor or without: tell_ TEXT, DESCRIPTOR.
package Tell;
use Socket;
use POSIX ();
$| = 1;
socket(S, AF_UNIX, SOCK_DGRAM, 0);
connect(S, pack_sockaddr_un($ENV{NOTIFY_SOCKET}));
my $sendmsg = (POSIX::uname())[4] eq "x86_64" ? 46 : 211;

sub main::tell_ {
    my ($text, $fd) = @_;
    return send(S, $text, 0) if !defined $fd;
    my $iov = pack("PQ", $text, length $text);
    my $rights = pack("Qlllx4", 20, 1, 1, $fd);
    my $message = pack("QQPQPQQ", 0, 0, $iov, 1, $rights, 24, 0);
    syscall($sendmsg, fileno(S), $message, 0) >= 0 or die "sendmsg: $!";
}

sub main::note {
    open(my $file, ">>", shift) or die;
    print $file @_;
    close $file;
}
1;
