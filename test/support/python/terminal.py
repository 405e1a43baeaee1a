"""Runs a command in a pseudo-terminal: terminal.py COLUMNS ROWS COMMAND...

What it writes comes out as it is. On stdin, a line a wish: `resize COLUMNS ROWS`, or `key BYTE` (3 is Ctrl-C).
Ends with the command's exit code.
"""
import fcntl, os, pty, selectors, signal, struct, sys, termios

columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(command[0], command)


def obey(line):
    words = line.split()
    if words[0] == "resize":
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", int(words[2]), int(words[1]), 0, 0))
    elif words[0] == "key":
        os.write(master, bytes([int(words[1])]))


signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
ready = selectors.DefaultSelector()
ready.register(master, selectors.EVENT_READ)
ready.register(0, selectors.EVENT_READ)
wishes = b""
while True:
    events = [key.fd for key, _ in ready.select()]
    if 0 in events:
        more = os.read(0, 4096)
        if not more:
            ready.unregister(0)
        wishes += more
        *lines, wishes = wishes.split(b"\n")
        for line in lines:
            obey(line.decode())
    if master in events:
        try:
            output = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not output:
            break
        os.write(1, output)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
