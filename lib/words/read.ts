import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ModelFileError, ModelMismatchError, quoted, toError } from '../errors.js';
import { checkKind } from '../files/kinds.js';
import type { Model } from '../models/model.js';
import type { EngineHost } from '../native/engine.js';
import { addon, native } from '../native/native.js';
import type { FileInfo, Stop } from '../native/types.js';
import type { PromptWord } from '../prompt/index.js';

const MAX_BYTES = 64 * 2 ** 20; // 75 vectors for both encoders of SDXL are 0.6 MB

interface Vectors {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a file is, as its tool wrote it. */
interface Found {
  /** The name that the file gives. */
  readonly name: string | undefined;
  readonly vectors: readonly Vectors[];
}

const readBytes = async (path: string, bytes: number): Promise<Buffer> => {
  if (bytes > MAX_BYTES) {
    const message = `${quoted(path)} has ${bytes} bytes, a text embedding at most ${MAX_BYTES}`;
    throw new ModelFileError('MODEL_LIMIT', message, 'Give the file of one text embedding', { details: { path } });
  }
  try {
    return await readFile(path);
  } catch (cause) {
    const why = String((cause as NodeJS.ErrnoException).code);
    throw new ModelFileError(
      'MODEL_IO',
      `${quoted(path)} cannot be read (${why})`,
      'Check the file and its permissions',
      { details: { path }, cause },
    );
  }
};

const tensorsOf = (bytes: Buffer, path: string): Vectors[] => {
  try {
    const tensors = addon().readTensors(bytes, basename(path));
    return tensors.map(({ name, shape, data }) => ({ tensor: name, shape, data }));
  } catch (error) {
    throw toError(error);
  }
};

const A1111 = 'string_to_param.';

/** The vectors of a file: SDXL's pair, kohya's, those of A1111 and of the authors, or a tensor under its token's name. */
const found = (path: string, all: readonly Vectors[], metadata: FileInfo['metadata']): Found => {
  const named = (...names: readonly string[]): Vectors[] =>
    names.flatMap((name) => all.find(({ tensor }) => tensor === name) ?? []);
  const pair = named('clip_l', 'clip_g');
  const parameters = all.filter(({ tensor }) => tensor.startsWith(A1111));
  const [kohya] = named('emb_params');
  const one = parameters.length > 0 ? parameters : kohya ? [kohya] : all;
  if (pair.length > 0) return { name: undefined, vectors: pair };
  if (one.length === 1 && one[0]) {
    const { tensor } = one[0];
    const isToken = tensor !== 'emb_params' && !tensor.startsWith(A1111) && tensor !== 'tensor' && tensor !== '*';
    return { name: isToken ? tensor : metadata.name, vectors: one };
  }
  const names = one.slice(0, 10).map(({ tensor }) => quoted(tensor));
  throw new ModelFileError(
    'MODEL_FORMAT_UNSUPPORTED',
    `${quoted(path)} holds ${one.length} tensors where a text embedding has one, or clip_l and clip_g: ${names.join(', ')}`,
    'Give the file of one text embedding',
    { details: { path, found: one.length } },
  );
};

const BASES: Readonly<Record<string, string>> = { 768: 'SD1.5', 1024: 'SD2.x', '768+1280': 'SDXL' };

/** The base that vectors of these widths are made for. */
const baseOf = (widths: readonly number[]): string =>
  BASES[widths.join('+')] ?? `text encoders of ${widths.join(' and ')}`;

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** [n, width] for each encoder of the model, in their order; n the same for all. */
const checkShapes = (path: string, vectors: readonly Vectors[], model: Model): number => {
  const widths = model.text.map(({ network }) => network.info.width ?? 0);
  const most = Math.min(...model.text.map(({ tokenizer }) => tokenizer.maxLength)) - 2;
  const sides = vectors.map(({ shape }) => (shape.length === 1 ? [1, shape[0]!] : shape));
  const count = sides[0]![0]!;
  const fits = sides.length === widths.length && count >= 1 && count <= most;
  if (fits && sides.every((side, i) => side.length === 2 && side[0] === count && side[1] === widths[i])) return count;
  const what = vectors.map(({ tensor, shape }) => `${quoted(tensor)} ${shapeText(shape)}`).join(' and ');
  const expected = widths.map((width) => `[n, ${width}]`).join(' and ');
  const made = sides.map((side) => side.at(-1) ?? 0);
  const own = baseOf(widths);
  const hint =
    made.join() === widths.join()
      ? `A text embedding has 1 to ${most} vectors, for each encoder as many`
      : `It was made for ${baseOf(made)}; use one made for ${own}`;
  throw new ModelMismatchError(
    'TENSOR_SHAPE',
    `${quoted(path)}: ${what}, expected ${expected} with n from 1 to ${most}`,
    hint,
    { details: { path, tensor: vectors[0]!.tensor, found: vectors.map(({ shape }) => [...shape]), expected } },
  );
};

const checkFinite = (path: string, vectors: readonly Vectors[]): void => {
  for (const { tensor, data } of vectors) {
    const index = data.findIndex((value) => !Number.isFinite(value));
    if (index < 0) continue;
    throw new ModelMismatchError(
      'TENSOR_NONFINITE',
      `${quoted(path)}: ${quoted(tensor)} holds numbers that are NaN or infinite, the first at ${index}`,
      'The file is damaged or its training diverged; fetch it again, or pass allowNonFinite',
      { details: { path, tensor, index } },
    );
  }
};

/** Reads a text embedding that fits the model's text encoders. */
export const readVectors = async (
  {
    host,
    model,
    allowNonFinite,
  }: { readonly host: EngineHost; readonly model: Model; readonly allowNonFinite: boolean },
  path: string,
  stop: Stop,
): Promise<Omit<PromptWord, 'name'> & { readonly name: string | undefined }> => {
  const info = await native(host.engine.inspect(path, { stop }));
  checkKind(path, info.kind, 'addTextEmbedding');
  const bytes = await readBytes(path, info.bytes);
  const { name, vectors } = found(path, tensorsOf(bytes, path), info.metadata);
  const count = checkShapes(path, vectors, model);
  if (!allowNonFinite) checkFinite(path, vectors);
  return {
    name,
    count,
    towers: vectors.map(({ data }) => data),
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
};
