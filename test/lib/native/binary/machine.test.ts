// This machine and others, in words; and what runs a Node of another processor.
import t from 'tap';
import { emulation, machine, machineText, withTranslation } from '../../../../lib/native/binary/machine.js';
import { isShipped, SHIPPED_TEXT, shippedFile } from '../../../../lib/native/binary/shipped.js';
import { machines, whole } from './made-facts.js';

t.test('this machine', async (test) => {
  test.match(machine(), { platform: process.platform, arch: process.arch, node: process.version });
  test.equal(machine(), machine(), 'asked once');
  if (process.platform === 'linux') {
    const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
    const version = header.glibcVersionRuntime;
    test.match(machine(), version ? { libc: 'glibc', libcVersion: version } : { libc: 'musl' });
  }
  if (process.platform !== 'darwin') test.equal(withTranslation(machine()), machine(), 'no program is asked');
});

t.test('a program that is not there leaves the answer at no', async (test) => {
  if (process.platform !== 'darwin') test.match(withTranslation(machines.intelMac), { translated: false });
  test.equal(withTranslation(machines.mac), machines.mac);
});

t.test('in words', async (test) => {
  test.equal(machineText(machines.linux), 'linux-x64, glibc 2.36');
  test.equal(machineText(machines.alpine), 'linux-x64, musl');
  test.equal(machineText(machines.mac), 'darwin-arm64');
});

t.test('emulation', async (test) => {
  for (const [asked, processor, what] of [
    [machines.rosetta, 'Apple M2', /Rosetta/],
    [machines.linux, 'VirtualApple @ 2.50GHz processor', /emulated on another processor \(VirtualApple/],
    [machines.linux, 'QEMU TCG CPU version 2.5+', /emulated/],
    [machines.windows, 'Snapdragon(R) X Elite - X1E78100', /emulated/],
  ] as const) {
    const found = emulation(asked, processor);
    test.match(found?.what, what);
    test.match(found?.remedy, /arm64 build of Node/);
  }
  for (const [asked, processor] of [
    [machines.mac, 'Apple M2'],
    [machines.intelMac, 'Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz'],
    [machines.linux, 'AMD EPYC 9R14'],
    [machines.linux, 'QEMU Virtual CPU version 2.5+'],
    [machines.linux, ''],
  ] as const)
    test.equal(emulation(asked, processor), undefined, processor);
});

t.test('the prebuilt file of a machine', async (test) => {
  test.equal(shippedFile(machines.alpine), 'linux-x64/node-ip-adapter.musl.node');
  test.equal(shippedFile(machines.linux), 'linux-x64/node-ip-adapter.glibc.node');
  test.equal(shippedFile(machines.mac), 'darwin-arm64/node-ip-adapter.node');
  test.equal(shippedFile(machines.windowsArm), 'win32-arm64', 'the folder of one that is not published');
  for (const one of Object.values(machines)) test.equal(whole.includes(shippedFile(one)), isShipped(one));
  test.equal(SHIPPED_TEXT, 'darwin-arm64, darwin-x64, linux-arm64 (glibc, musl), linux-x64 (glibc, musl), win32-x64');
});
