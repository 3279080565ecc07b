import { encoderName, needsOf, type Variant, variantRow } from '../adapters/variants.js';
import { abortError } from '../errors.js';
import { sha256 } from '../files/files.js';
import { knownFile } from '../files/known-files.js';
import { cancellable, startEngine } from '../native/engine.js';
import { native } from '../native/native.js';
import type { FileInfo, NetworkInfo } from '../native/types.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { pathOf } from '../options/schemas.js';
import { INSPECT } from '../options/table/small.js';

/** What kind of IP-Adapter a file is. */
export interface InspectedVariant {
  readonly name: Variant;
  /** Base that it was trained for: SD1.5, SDXL … or custom. */
  readonly family: string;
  /** One line: tokens, what it reads, LoRA inside, recommended scale. */
  readonly summary: string;
  /** Image tokens per picture or face; 0: as many as the encoder gives. */
  readonly tokens: number;
  readonly encoder?: string;
  readonly needsFace: boolean;
  /** Rank of the LoRA inside, 0 for none. */
  readonly loraRank: number;
  readonly licence: string;
}

/** What a weight file is. */
export interface Inspection extends Omit<FileInfo, 'adapter'> {
  readonly sha256?: string;
  /** Of an IP-Adapter. */
  readonly variant?: InspectedVariant;
}

const variantOf = (adapter: NetworkInfo, knownLicence: string | undefined): InspectedVariant => {
  const row = variantRow(adapter.variant);
  const needs = needsOf(adapter, false);
  const encoder = needs.encoder && encoderName(needs.encoder);
  const { tokensPerImage: tokens = 0, loraRank = 0 } = adapter;
  const facts = [
    tokens > 0 ? `${tokens} tokens` : "the encoder's tokens",
    ...(needs.identity > 0 ? [`an identity of ${needs.identity}`] : []),
    ...(encoder ? [encoder] : []),
    ...(loraRank > 0 ? [`LoRA of rank ${loraRank} inside`] : []),
    `scale ${row.hint}`,
  ];
  return {
    name: row.variant,
    family: adapter.family ?? 'custom',
    summary: facts.join(', '),
    tokens,
    ...(encoder ? { encoder } : {}),
    needsFace: needs.identity > 0,
    loraRank,
    licence: knownLicence ?? row.licence,
  };
};

/**
 * Names, types and shapes of a weight file, its hash, and the variant of an IP-Adapter. With `sha256: false` only the header
 * is read.
 *
 * @example
 * const { kind, variant } = await inspect('ip-adapter-plus_sd15.safetensors')
 */
export const inspect = async (
  file: string,
  given: { readonly sha256?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Inspection> => {
  const path = pathOf(file, 'file');
  const { sha256: hashed = defaultOf(INSPECT, 'sha256'), signal } = readOptions(INSPECT, given, {});
  const host = startEngine({ threads: 1 });
  try {
    const { adapter, ...rest } = await cancellable(host, signal, abortError, (stop) =>
      native(host.engine.inspect(path, { stop })),
    );
    return {
      ...rest,
      ...(hashed ? { sha256: await sha256(path) } : {}),
      ...(adapter ? { variant: variantOf(adapter, (await knownFile(path))?.licence) } : {}),
    };
  } finally {
    host.close();
  }
};
