// What a file is by its first bytes.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { fileKind, formatOf, HEAD_BYTES } from '../../../../lib/native/binary/file-kind.js';

const ofBytes = (bytes: Buffer, size = bytes.length) => fileKind(bytes, size);
const ofText = (text: string) => ofBytes(Buffer.from(text));

/** A 64-bit little-endian ELF file's header. */
const elf = (machine: number): Buffer => {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 'latin1');
  head.set([2, 1], 4);
  head.writeUInt16LE(machine, 18);
  head.writeBigUInt64LE(5000n, 40); // where the sections' table is
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(10, 60);
  return head;
};

t.test('ELF: the processor, and how long it must be', async (test) => {
  test.same(ofBytes(elf(183)), { text: 'an ELF file for arm64', format: 'ELF', archs: ['arm64'], whole: 5640 });
  test.same(ofBytes(elf(62)).archs, ['x64']);
  test.same(ofBytes(elf(999)).text, 'an ELF file for processor 999');
  const big = elf(0);
  big.set([1, 2], 4); // 32 bits, big-endian
  big.writeUInt16BE(8, 18);
  test.same(ofBytes(big), { text: 'an ELF file for mips', format: 'ELF', archs: ['mips'] });
  test.same(ofBytes(elf(62).subarray(0, 40)).format, undefined, 'not even a header');
});

t.test('ELF: this Node itself', { skip: process.platform === 'linux' ? false : 'Linux alone' }, async (test) => {
  const bytes = readFileSync(process.execPath);
  const kind = ofBytes(bytes.subarray(0, HEAD_BYTES), bytes.length);
  test.match(kind, { format: 'ELF', archs: [process.arch] });
  test.ok(kind.whole! <= bytes.length && kind.whole! > bytes.length / 2, `${kind.whole} of ${bytes.length}`);
});

t.test('Mach-O, one processor and several', async (test) => {
  const one = Buffer.from('cffaedfe0c000001', 'hex');
  test.same(ofBytes(one), { text: 'a Mach-O file for arm64', format: 'Mach-O', archs: ['arm64'] });
  const two = Buffer.alloc(48);
  two.writeUInt32BE(0xcafebabe, 0);
  two.writeUInt32BE(2, 4);
  two.writeUInt32BE(0x01000007, 8);
  two.writeUInt32BE(0x0100000c, 28);
  test.same(ofBytes(two).text, 'a Mach-O file for x64 and arm64');
  const java = Buffer.from('cafebabe0000003400', 'hex');
  test.equal(ofBytes(java).format, undefined, "Java's classes begin so too");
});

t.test('PE', async (test) => {
  const bytes = Buffer.alloc(256);
  bytes.write('MZ');
  bytes.writeUInt32LE(128, 60);
  bytes.write('PE\0\0', 128, 'latin1');
  bytes.writeUInt16LE(0xaa64, 132);
  test.same(ofBytes(bytes), { text: 'a PE file for arm64', format: 'PE', archs: ['arm64'] });
  bytes.writeUInt32LE(4_000_000, 60);
  test.equal(ofBytes(bytes).format, undefined, 'a place beyond what was read');
});

t.test('no native file', async (test) => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n';
  for (const [kind, text] of [
    [ofText(pointer), `${pointer.length} bytes of text (a Git LFS pointer)`],
    [ofText('<!DOCTYPE html><title>404</title>'), '33 bytes of text (an HTML page)'],
    [ofText('\n<HTML>'), '7 bytes of text (an HTML page)'],
    [ofText('{"message":"not found"}'), '23 bytes of text (JSON)'],
    [ofText('Ünknown'), '8 bytes of text'],
    [ofText('x'), '1 byte of text'],
    [ofBytes(Buffer.alloc(0)), 'empty'],
    [ofBytes(Buffer.alloc(100), 1000), '1000 bytes of zeros'],
    [ofBytes(Buffer.from('1f8b0800', 'hex'), 500), '500 bytes of a gzip archive'],
    [ofBytes(Buffer.from('PK\x03\x04zip', 'latin1')), '7 bytes of a zip archive'],
    [ofBytes(Buffer.from([1, 2, 3])), '3 bytes of unknown data'],
  ] as const)
    test.same(kind, { text, archs: [] });
});

t.test('which format a platform loads', async (test) => {
  test.same(['linux', 'darwin', 'win32', 'freebsd'].map(formatOf), ['ELF', 'Mach-O', 'PE', 'ELF']);
});
