import { stem } from '../files/files.js';
import { openLora, sameDeltas } from '../models/lora-file.js';
import type { EngineHost } from '../native/engine.js';
import type { DeltaSource, NetworkHandle, Stop } from '../native/types.js';
import type { Warn } from '../warnings.js';
import type { VariantRow } from './variants.js';

/** The LoRA that a FaceID adapter was trained with: inside its file, or in a file beside it, the companion. */
export interface AdapterLora {
  readonly deltas: DeltaSource;
  readonly rank: number;
  /** What `<lora:name:w>` may call it. */
  readonly names: readonly string[];
}

/** Stems of the companions as the authors published them, by variant, version and base. */
const PUBLISHED: Readonly<Record<string, string>> = {
  'faceid SD1.5': 'ip-adapter-faceid_sd15_lora',
  'faceid SDXL': 'ip-adapter-faceid_sdxl_lora',
  'faceid-plus v1 SD1.5': 'ip-adapter-faceid-plus_sd15_lora',
  'faceid-plus v2 SD1.5': 'ip-adapter-faceid-plusv2_sd15_lora',
  'faceid-plus v2 SDXL': 'ip-adapter-faceid-plusv2_sdxl_lora',
};

/** What an adapter's LoRA is found by. */
export interface CompanionContext {
  readonly host: EngineHost;
  /** Networks that LoRAs change. */
  readonly networks: readonly NetworkHandle[];
  readonly warn: Warn;
  readonly stop: Stop;
}

/** An adapter, as far as its LoRA is concerned. */
export interface CompanionOf {
  readonly file: string;
  /** The option `lora`. */
  readonly companion: string | undefined;
  readonly network: NetworkHandle;
  readonly row: VariantRow & { readonly variant: string };
  readonly version: 'v1' | 'v2' | undefined;
}

const namesOf = ({ file, companion, network, row, version }: CompanionOf): readonly string[] => {
  const published = PUBLISHED[[row.variant, version, network.info.family].filter(Boolean).join(' ')];
  const names = [companion && stem(companion), `${stem(file)}_lora`, published];
  return [...new Set(names.filter((name) => name !== undefined))];
};

/**
 * The LoRA of an adapter. Its own numbers act where it has them, and a companion with the same ones adds nothing but a
 * name; where it has none the companion's act.
 */
export const adapterLora = async (
  { host, networks, warn, stop }: CompanionContext,
  of: CompanionOf,
): Promise<AdapterLora | undefined> => {
  const { file, companion, network, row, version } = of;
  const inside = network.info.loraRank ?? 0;
  const names = namesOf(of);
  const own = inside > 0 ? { deltas: network, rank: inside, names } : undefined;
  if (companion === undefined) {
    if (!own && row.needsLora && version !== 'v1') {
      const hint = names.at(-1)!;
      warn(
        'ADAPTER_LORA_MISSING',
        `${stem(file)} has no LoRA inside; ${row.title} is weak without the one it was trained with, such as ${hint}: the option lora names its file`,
      );
    }
    return own;
  }
  if (!own && !row.needsLora) {
    warn('OPTION_CONFLICT', `lora is not used: ${row.title} was trained without one`);
    return undefined;
  }
  const given = await openLora(host, networks, companion, stop);
  for (const { code, message } of given.info.warnings) warn(code, message);
  if (!own) return { deltas: given, rank: given.info.rank, names };
  if (await sameDeltas(host, network, given, stop)) return own;
  warn(
    'ADAPTER_LORA_MISSING',
    `${stem(companion)} is not the LoRA that ${stem(file)} was trained with: its numbers are others than those inside, which act`,
  );
  return own;
};
