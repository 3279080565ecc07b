import { firstOf } from '../init/start.js';
import { native } from '../native/native.js';
import type { SampleInit, Tensor } from '../native/types.js';
import type { HiresSettings } from './hires.js';
import type { PreparedPass } from './prepare.js';
import type { RunContext } from './request.js';

/** Latents of the same picture at another size; no random numbers are drawn. */
const larger = async (
  { host, model, stop }: RunContext,
  { width, height, upscaler }: HiresSettings,
  latents: Tensor,
): Promise<Tensor> => {
  const { engine } = host;
  const { vae, scalingFactor, factor } = model;
  if (upscaler === 'latent')
    return native(engine.upscale(latents, { width: width / factor, height: height / factor, stop }));
  const drawn = await native(engine.decode(vae, latents, { scalingFactor, stop }));
  const { picture } = await native(engine.prepareInit(drawn, { width, height, factor, stop }));
  return (await native(engine.encode(vae, picture, { scalingFactor, stop }))).mean;
};

/** What a pass begins with that goes on with another's latents: the picture made larger, under fresh noise. */
export const startFrom = async (
  context: RunContext,
  { pass, init }: PreparedPass,
  hires: HiresSettings,
  latents: Tensor,
): Promise<SampleInit> => ({
  first: firstOf(pass.schedule),
  ...init?.start,
  image: { mean: await larger(context, hires, latents) },
});
