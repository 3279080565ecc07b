// Which file is what, and which parts fit: every published adapter, with every encoder, on every base, by tensors alone. The
// files have true headers and no numbers.
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { adapterSettings } from '../../../lib/adapters/options.js';
import { type AttachmentPlan, planAttachment } from '../../../lib/adapters/plan-attachment.js';
import { type IpAdapterError, inspect } from '../../../lib/index.js';
import { startEngine } from '../../../lib/native/engine.js';
import { DETECTION, type DetectionRow } from './detection-table.js';
import { adapterShapes, ENCODERS, UNETS, writeSparse } from './sparse-files.js';

const folder = mkdtempSync(join(tmpdir(), 'ipa-detection-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const host = startEngine({ threads: 1 });
t.teardown(() => host.close());

type Base = keyof typeof UNETS;
const encoderNames = [...(Object.keys(ENCODERS) as (keyof typeof ENCODERS)[]), undefined];
const unets = Object.entries(UNETS).map(([name, shapes]) => {
  const file = join(folder, 'unets', `${name}.safetensors`);
  writeSparse(file, shapes);
  return { base: name as Base, file };
});
for (const [name, shapes] of Object.entries(ENCODERS))
  writeSparse(join(folder, 'encoders', `${name}.safetensors`), shapes);

/** Bytes that this process has asked the system for, the engine's thread included; only Linux counts them. */
const isCounted = process.platform === 'linux';
const bytesRead = (): number =>
  isCounted ? Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))![1]) : 0;
const MOST_READ = 2 ** 20; // headers and all

interface Answer {
  readonly plan?: AttachmentPlan;
  readonly error?: IpAdapterError;
  readonly warned: readonly string[];
  readonly read: number;
}

const answer = async (file: string, unet: string, encoder: string | undefined): Promise<Answer> => {
  const warned: string[] = [];
  const context = { host, unet, modelFolder: undefined, warn: (code: string) => void warned.push(code) };
  const settings = adapterSettings(
    encoder === undefined ? {} : { encoder: join(folder, 'encoders', `${encoder}.safetensors`) },
  );
  const before = bytesRead();
  const found = await planAttachment(context, file, settings, host.stop()).then(
    (plan) => ({ plan }),
    (error: IpAdapterError) => ({ error }),
  );
  return { ...found, warned: warned.sort(), read: bytesRead() - before };
};

/** What an answer says, in the words of the table. */
const told = ({ plan, error, warned }: Answer): string => {
  if (plan) return [plan.row.variant, plan.version ?? [], warned].flat().join(', ');
  return `${error!.code}: ${error!.message} ${error!.hint}`;
};

/** What it must say: exactly, or the code and the names in it. */
const expected = (
  row: DetectionRow,
  base: Base,
  encoder: number,
  nameWarns: readonly string[],
): string | readonly string[] => {
  if (base === 'SD2.1') return ['MODEL_FORMAT_UNSUPPORTED', 'SD2.x', 'Stable Diffusion 1.5 and SDXL'];
  const family = base.startsWith('SDXL') ? 'SDXL' : 'SD1.5';
  if (row.base === 'Kolors')
    return ['ADAPTER_BASE_MISMATCH', 'for Kolors', family, 'Kolors is not among those that load'];
  if (row.base !== family)
    return ['ADAPTER_BASE_MISMATCH', `for ${row.base}`, `UNet is ${family}`, 'adapter made for this base'];
  const outcome = row.outcomes![encoder]!;
  const name = outcome.replace(/^\w+ /, '');
  if (outcome.startsWith('wants')) return ['ADAPTER_ENCODER_MISMATCH', `needs ${name}`, `Give the folder of ${name}`];
  if (outcome.startsWith('lacks')) return ['ADAPTER_ENCODER_MISSING', `needs ${name}`, `Give the folder of ${name}`];
  const conflict = outcome === 'unused' ? ['OPTION_CONFLICT'] : [];
  return [row.variant, row.version ?? [], [...nameWarns, ...conflict, ...(row.warns ? [row.warns] : [])].sort()]
    .flat()
    .join(', ');
};

const isPinned = (text: string, parts: string | readonly string[]): boolean =>
  typeof parts === 'string'
    ? text === parts
    : text.startsWith(`${parts[0]}:`) && parts.every((part) => text.includes(part));

/** The one file of a row. */
const files = DETECTION.map((row, i) => {
  const file = join(folder, 'rows', `${i + 1}`, 'weights');
  const group = row.projector === 'kolors-faceid' ? 'adapter_modules' : 'ip_adapter';
  const unet = row.base === 'SD1.5' ? UNETS['SD1.5'] : UNETS.SDXL;
  const shapes = adapterShapes(row.projector, unet, { lora: row.lora ?? false, group });
  const bytes = writeSparse(file, shapes, (name) => (row.wide && name.startsWith('image_proj.') ? 'F32' : 'F16'));
  return { row, file, bytes, folder: join(folder, 'rows', `${i + 1}`) };
});

t.test('the files have as many numbers as the published ones', async (test) => {
  for (const { row, bytes } of files) if (row.bytes !== undefined) test.equal(bytes, row.bytes, row.file);
});

const namings: readonly {
  readonly what: string;
  readonly name: (i: number) => string;
  readonly warns: readonly string[];
}[] = [
  { what: 'a.safetensors', name: () => 'a.safetensors', warns: [] },
  { what: 'a.bin', name: () => 'a.bin', warns: ['FILE_NAME_MISLEADING'] },
  {
    what: 'the name of another variant',
    name: (i) => `${DETECTION[(i + 7) % DETECTION.length]!.file}.safetensors`,
    warns: [],
  },
];

for (const { what, name, warns } of namings) {
  t.test(`every adapter, encoder and base, called ${what}`, async (test) => {
    let most = 0;
    for (const [i, { row, file, folder: own }] of files.entries()) {
      mkdirSync(join(own, what), { recursive: true });
      const named = join(own, what, name(i));
      linkSync(file, named);
      const wrong: string[] = [];
      for (const { base, file: unet } of unets) {
        for (const [e, encoder] of encoderNames.entries()) {
          const got = await answer(named, unet, encoder);
          const must = expected(row, base, e, warns);
          if (!isPinned(told(got), must))
            wrong.push(`${base}, ${encoder ?? 'none'}: ${told(got)}; not ${String(must)}`);
          most = Math.max(most, got.read);
        }
      }
      test.same(wrong, [], row.file);
    }
    test.ok(most <= MOST_READ, `at most ${most} bytes were read for an answer`);
    if (isCounted) test.ok(most > 200_000, 'reading is counted: two headers of SDXL have as much');
  });
}

t.test('inspect says what a file is, Kolors included', async (test) => {
  for (const { row, file } of files) {
    const { variant } = await inspect(file, { sha256: false });
    test.match(variant, { name: row.variant, family: row.base }, row.file);
  }
});
