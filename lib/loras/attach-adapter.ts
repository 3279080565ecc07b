import { Adapter, type AdapterOwner } from '../adapters/adapter.js';
import { type AttachContext, attach } from '../adapters/attach.js';
import type { AdapterSettings } from '../adapters/options.js';
import type { Stop } from '../native/types.js';
import type { Companions } from './companions.js';

/** Attaches an adapter and compares its own LoRA with those that are attached; `drop` frees what was loaded. */
export const attachAdapter = async (
  context: AttachContext & { readonly companions: Companions },
  file: string,
  settings: AdapterSettings,
  owner: AdapterOwner,
  stop: Stop,
): Promise<{ readonly handle: Adapter; readonly drop: () => void }> => {
  const { companions } = context;
  const { parts, info } = await attach(context, file, settings, stop);
  const handle = new Adapter(parts, info, owner);
  const drop = (): void => {
    companions.leave(handle);
    parts.free();
  };
  try {
    await companions.join(handle, stop);
  } catch (error) {
    drop();
    throw error;
  }
  return { handle, drop };
};
