import { ModelMismatchError } from '../errors.js';
import { checkKind } from '../files/kinds.js';
import { cameFrom } from '../files/origin.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { DeltaSource, LoraHandle, NetworkHandle, Stop } from '../native/types.js';
import type { Model } from './model.js';

/** The networks of a model whose weights LoRAs change. */
export const changeable = ({ unet, text }: Pick<Model, 'unet' | 'text'>): NetworkHandle[] => [
  unet,
  ...text.map(({ network }) => network),
];

/** Reads a LoRA's header and finds the layers that it changes; of a file that fits none it is said what it is. */
export const openLora = async (
  { engine }: EngineHost,
  networks: readonly NetworkHandle[],
  path: string,
  stop: Stop,
): Promise<LoraHandle> => {
  try {
    return await cameFrom(await native(engine.openLora(path, networks, { stop })), path);
  } catch (error) {
    if (!(error instanceof ModelMismatchError) || error.code !== 'LORA_KEYS_UNMATCHED') throw error;
    // a file that cannot be told keeps the first error
    const kind = await engine.inspect(path, { stop }).then(
      (info) => info.kind,
      () => '',
    );
    checkKind(path, kind, 'addLora');
    throw error;
  }
};

/** Whether both make the same change of every weight. */
export const sameDeltas = ({ engine }: EngineHost, a: DeltaSource, b: DeltaSource, stop: Stop): Promise<boolean> =>
  native(engine.sameDeltas(a, b, { stop }));
