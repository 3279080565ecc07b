// Whether a file lies where nothing may be run, from the kernel's own list.
import t from 'tap';
import { noexecIn, noexecMount } from '../../../../lib/native/binary/noexec.js';

const MOUNTS = String.raw`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /tmp rw,nosuid,noexec,relatime shared:5 - tmpfs tmpfs rw
31 22 0:27 / /home/my\040files rw,noexec - tmpfs tmpfs rw
32 22 0:28 / /twice rw - tmpfs tmpfs rw
33 32 0:29 / /twice rw,noexec - tmpfs tmpfs rw
34 30 0:30 / /tmp/run rw - tmpfs tmpfs rw
`;

t.test('the nearest mount counts', async (test) => {
  for (const [path, point] of [
    ['/tmp/app/x.node', '/tmp'],
    ['/home/my files/x.node', '/home/my files'],
    ['/twice/x.node', '/twice'],
    ['/tmp/run/x.node', undefined],
    ['/tmpfile/x.node', undefined],
    ['/srv/x.node', undefined],
  ] as const)
    test.equal(noexecIn(MOUNTS, path), point, path);
  test.equal(noexecIn('', '/srv/x.node'), undefined);
});

t.test('of this machine', { skip: process.platform === 'linux' ? false : 'Linux alone' }, async (test) => {
  test.equal(noexecMount(process.execPath), undefined, 'Node itself runs');
  test.equal(noexecMount('/proc/nowhere'), undefined);
});
