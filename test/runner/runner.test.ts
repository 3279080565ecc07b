// The golden runner itself: what to run follows from content, faults and unknown kinds fail, the closing line counts.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { fastestOf, goldenResults } from './run.mjs';

const golden = fileURLToPath(new URL('../golden', import.meta.url));
const script = fileURLToPath(new URL('../../scripts/golden.mjs', import.meta.url));

interface Case {
  id: string;
  family: string;
}

/** A folder of its own whose parent holds the models, as a user's might. */
const folderIn = (test: Test): string => {
  const parent = mkdtempSync(join(tmpdir(), 'golden-runner-'));
  test.teardown(() => rmSync(parent, { recursive: true }));
  cpSync(join(golden, 'models'), join(parent, 'models'), { recursive: true });
  return join(parent, 'cases');
};

/** Copies a case under another name and id, perhaps changed. */
const copy = (
  from: string,
  to: string,
  change: (info: Case, bytes: Buffer, dataAt: number, entries: Record<string, unknown>) => void = () => {},
): void => {
  const file = readFileSync(join(golden, `${from}.safetensors`));
  const size = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + size)) as { __metadata__: { case: string } };
  const info = JSON.parse(header.__metadata__.case) as Case;
  info.id = 'renamed';
  const data = Buffer.from(file.subarray(8 + size));
  const first = header as unknown as Record<string, { data_offsets?: [number, number] }>;
  const output = Object.keys(first).find((key) => key.startsWith('out/'));
  change(info, data, output === undefined ? 0 : (first[output]?.data_offsets?.[0] ?? 0), header);
  header.__metadata__.case = JSON.stringify(info);
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, Buffer.concat([length, text, data]));
};

const runner = (...args: string[]): { lines: string[]; status: number | null } => {
  const { stdout, status } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  return { lines: stdout.trimEnd().split('\n'), status };
};

t.test('cases under other names, ids and folders are checked by what they hold', async (test) => {
  const folder = folderIn(test);
  copy('networks/unet15', join(folder, 'x/one.safetensors'));
  copy('modules/geglu', join(folder, 'two.safetensors'));
  copy('projectors/tiny-faceid-plus', join(folder, 'x/y/three.safetensors'));
  copy('onnx/gemm', join(folder, 'x/four.safetensors'));
  cpSync(join(golden, 'onnx/gemm.onnx'), join(folder, 'x/gemm.onnx'));
  copy('lora/peft', join(folder, 'five.safetensors'));
  cpSync(join(golden, 'lora/peft.file.safetensors'), join(folder, 'lora/peft.file.safetensors'));
  copy('pipelines/ip-plus', join(folder, 'x/six.safetensors'));
  copy('schedulers/unipc-karras', join(folder, 'seven.safetensors'));
  copy('images/clip-1x1-to-56', join(folder, 'eight.safetensors'));
  copy('pipelines/controlnet', join(folder, 'nine.safetensors'));
  cpSync(join(golden, 'text/weights.json'), join(folder, 'ten.json'));
  cpSync(join(golden, 'random/philox.json'), join(folder, 'eleven.json'));
  const { lines, status } = runner(folder, '--level', 'base');
  test.equal(lines.at(-1), '11 passed, 0 failed, 0 not yet');
  test.equal(status, 0);
});

t.test('networks of true size run where they are asked for, on the fastest levels', async (test) => {
  const folder = folderIn(test);
  copy('true-size/clip-l-text', join(folder, 'a.safetensors'));
  copy('true-size/clip-l-text', join(folder, 'b.safetensors'), (_, data, at) =>
    data.writeFloatLE(data.readFloatLE(at) + 0.01, at),
  );
  const results = [];
  for await (const result of goldenResults(folder, ['base'])) results.push(result);
  test.same(results, []);
  const { lines } = runner(folder, '--level', 'base');
  test.equal(lines.at(-1), '1 passed, 1 failed, 0 not yet');
  test.same(fastestOf(['base', 'avx2', 'avx512', 'avx512bf16-stand-in', 'amx-stand-in']), ['avx512', 'amx-stand-in']);
  test.same(fastestOf(['base', 'avx512', 'avx512bf16', 'amx-stand-in']), ['avx512', 'avx512bf16']);
  test.same(fastestOf(['base']), ['base']);
});

t.test('one changed number fails its case', async (test) => {
  const folder = folderIn(test);
  copy('modules/geglu', join(folder, 'a.safetensors'));
  copy('modules/geglu', join(folder, 'b.safetensors'), (_, data, at) =>
    data.writeFloatLE(data.readFloatLE(at) + 0.01, at),
  );
  copy('schedulers/euler-leading', join(folder, 'c.safetensors'), (_, data, at) => data.writeFloatLE(Number.NaN, at));
  copy('modules/geglu', join(folder, 'd.safetensors'), (_, data, at) => data.writeFloatLE(Number.NaN, at));
  const { lines, status } = runner(folder, '--level', 'base');
  test.equal(lines.at(-1), '1 passed, 3 failed, 0 not yet');
  test.match(
    lines.find((line) => line.includes(' b ')),
    /^failed .*worst 1\.\d+e-2/,
  );
  test.equal(status, 1);
});

/** Gives entries of a case's header other names. */
const renameEntries = (entries: Record<string, unknown>, pattern: RegExp, by: string): number => {
  const matching = Object.keys(entries).filter((key) => pattern.test(key));
  for (const key of matching) {
    entries[key.replace(pattern, by)] = entries[key];
    delete entries[key];
  }
  return matching.length;
};

t.test('taps are optional, outputs are not', async (test) => {
  const folder = folderIn(test);
  let renamed = 0;
  copy('networks/unet15', join(folder, 'a.safetensors'), (_info, _data, _at, entries) => {
    renamed += renameEntries(entries, /^tap\//, 'tap/elsewhere.');
  });
  copy('pipelines/ip-plus', join(folder, 'b.safetensors'), (_info, _data, _at, entries) => {
    renamed += renameEntries(entries, /^tap\/step\./, 'tap/elsewhere.');
  });
  copy('networks/unet15', join(folder, 'c.safetensors'), (_info, _data, _at, entries) => {
    renameEntries(entries, /^out\//, 'out/elsewhere.');
  });
  test.ok(renamed > 2, `${renamed} taps`);
  const { lines } = runner(folder, '--level', 'base');
  test.equal(lines.at(-1), '2 passed, 1 failed, 0 not yet');
  test.match(
    lines.find((line) => line.includes('failed ')),
    / c .*was not computed/,
  );
});

t.test('scales of every step stand for themselves, whatever the scale for all says', async (test) => {
  const folder = folderIn(test);
  for (const [name, scale] of [
    ['zero', 0],
    ['none', undefined],
  ] as const)
    copy('pipelines/ip-base-window', join(folder, `${name}.safetensors`), (info) => {
      Object.assign(info, { scale });
    });
  const { lines } = runner(folder, '--level', 'base');
  test.equal(lines.at(-1), '2 passed, 0 failed, 0 not yet');
});

t.test('a kind that no row knows fails', async (test) => {
  const folder = folderIn(test);
  copy('modules/geglu', join(folder, 'a.safetensors'), (info) => {
    info.family = 'dream';
  });
  writeFileSync(join(folder, 'table.json'), '{"rows":[{"something":1}]}');
  const { lines, status } = runner(folder, '--level', 'base');
  test.equal(lines.at(-1), '0 passed, 2 failed, 0 not yet');
  test.equal(status, 1);
});

t.test('a level this CPU lacks, an empty folder, --list', async (test) => {
  const folder = folderIn(test);
  mkdirSync(folder);
  test.equal(runner(folder, '--level', 'z80').status, 1);
  test.equal(runner(folder).status, 1, 'nothing was checked');
  const { lines, status } = runner('--list');
  test.equal(status, 0);
  test.ok(lines.includes('module') && lines.includes('network/controlnet'));
  test.notOk(
    lines.some((line) => line.includes('not yet')),
    'every kind is checked',
  );
});
