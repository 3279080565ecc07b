// An engine without numbers: every call answers after a moment, records what it was given, and honours its stop flag.
import type { EngineHost } from '../../lib/native/engine.js';
import type { DeltaSource, Engine, NetworkHandle, NetworkInfo, Stop, Tensor } from '../../lib/native/types.js';

const tensor = (tokens: number, width: number, value = 1): Tensor => ({
  shape: [1, 1, tokens, width],
  data: new Float32Array(tokens * width).fill(value),
});

const sites = ['down_blocks.0', 'down_blocks.1', 'mid_block', 'up_blocks.1'].map((block, index) => ({
  path: `${block}.attentions.0.transformer_blocks.0.attn2`,
  width: 32,
  index,
}));

const INFO: Record<string, Partial<NetworkInfo>> = {
  unet: { inChannels: 4, context: 8, family: 'custom', pooledWidth: 0, sites },
  vae: { factor: 8, latentChannels: 4 },
  clip_text: { width: 8, layers: 4, positions: 77, projection: 0 },
  clip_vision: { width: 160, projection: 128, image: 112, tokens: 65 },
  onnx: { input: [-1, 3, -1, -1], outputs: [] },
};

/** What the adapter file at a path is said to be, by a word in its name. */
const adapterInfo = (path: string): Partial<NetworkInfo> => ({
  variant: path.includes('faceid') ? 'faceid' : 'base',
  context: 8,
  tokensPerImage: 4,
  encoderOutput: path.includes('faceid') ? 'none' : 'image_embeds',
  encoderWidth: path.includes('faceid') ? 0 : 128,
  identityWidth: path.includes('faceid') ? 512 : 0,
  loraRank: path.includes('faceid') ? 16 : 0,
});

class FakeStop implements Stop {
  raised = false;
  readonly #listeners: (() => void)[] = [];
  raise(): void {
    this.raised = true;
    for (const listener of this.#listeners.splice(0)) listener();
  }
  onRaise(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

export interface FakeEngine {
  readonly host: EngineHost;
  /** Names of the calls, in order. */
  readonly calls: string[];
  /** Lists given to setLoras, as strengths. */
  readonly loras: number[][];
  /** The same for text encoders. */
  readonly textLoras: number[][];
  readonly samples: Parameters<Engine['sample']>[0][];
  /** How long a native call goes on after its stop flag was raised, in ms. */
  windDownMs: number;
  stepMs: number;
  closed: boolean;
}

/** `isXl`: a UNet with SDXL's conditioning; `device`: what it is said to run on. */
export const fakeEngine = ({ isXl = false, device = 'cpu' } = {}): FakeEngine => {
  const fake: Omit<FakeEngine, 'host'> & { host?: EngineHost } = {
    calls: [],
    loras: [],
    textLoras: [],
    samples: [],
    windDownMs: 0,
    stepMs: 1,
    closed: false,
  };
  const companions = new WeakSet<object>(); // LoRA files with "faceid" in their name have the numbers of such adapters
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const checkStop = async (stop: Stop | undefined): Promise<void> => {
    if (!(stop as FakeStop | undefined)?.raised) return;
    await sleep(fake.windDownMs);
    throw Object.assign(new Error('the run was cancelled'), { code: 'ABORTED', hint: 'start it again' });
  };
  const answer = async <T>(name: string, stop: Stop | undefined, value: T): Promise<T> => {
    fake.calls.push(name);
    await sleep(0);
    await checkStop(stop);
    return value;
  };
  const network = (kind: string, path: string): NetworkHandle => {
    const info: NetworkInfo = {
      kind,
      bytes: 10,
      parameters: 5,
      warnings: [],
      ...INFO[kind],
      ...(kind === 'unet' && isXl ? { pooledWidth: 8 } : {}),
      ...(kind === 'adapter' ? adapterInfo(path) : {}),
    };
    if (kind === 'onnx') {
      const outputs = path.includes('recog')
        ? [[-1, 512]]
        : new Array(path.includes('nine') || path.includes('detect') ? 9 : 6).fill([-1, 1]);
      return {
        info: { ...info, outputs },
        dispose: () => fake.calls.push(`dispose ${kind}`),
        runs: () => 0,
        memory: () => 0,
        digest: () => '',
      };
    }
    return {
      info,
      dispose: () => fake.calls.push(`dispose ${kind}`),
      runs: () => 0,
      memory: () => 0,
      digest: () => '',
    };
  };
  const engine: Engine = {
    info: {
      device,
      level: 'base',
      threads: 1,
      ...(device === 'cpu' ? { dtype: 'f32' } : { dtype: 'f16', name: 'Fake' }),
    },
    load: (spec, onProgress) => {
      const path = 'path' in spec.source ? spec.source.path : '';
      onProgress?.({ bytes: 1, totalBytes: 2 });
      return answer(`load ${spec.kind}`, spec.stop, network(spec.kind, path));
    },
    read: async (_, { stop }, onProgress) => {
      onProgress?.({ bytes: 2, totalBytes: 2 });
      await checkStop(stop);
    },
    need: async (networks) => networks.map(() => ({ weights: 10, run: 5 })),
    encodeText: (inputs, { stop }) => {
      const pooled = inputs.at(-1)!.pooled ? { pooled: tensor(1, 8) } : {};
      return answer(`encodeText ${inputs.map(({ state, skip }) => `${state} ${skip}`).join(', ')}`, stop, {
        context: tensor(77 * inputs[0]!.chunks.length, 8),
        ...pooled,
      });
    },
    encodeImages: (_, images, { stop }) =>
      answer(
        'encodeImages',
        stop,
        images.map((image) => tensor(1, 128, image ? 1 : 0)),
      ),
    project: (_, { features, identities }, { stop }) =>
      answer('project', stop, tensor(4 * (features ?? identities ?? []).length, 8)),
    combine: (tensors, { how, weights, renormalize, stop }) =>
      answer(`${how} ${weights.join(' ')}${renormalize ? ' renormalized' : ''}`, stop, tensors[0]!),
    detectFaces: (_, image, { stop, size }) =>
      answer(
        `detect ${size}`,
        stop,
        image.data[(Math.floor(image.height / 2) * image.width + Math.floor(image.width / 2)) * 3] === 0
          ? []
          : [{ score: 0.9, box: [10, 10, 50, 60], landmarks: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }],
      ),
    negativeNoise: (image, { noise, size, stop }) =>
      answer(noise, stop, image ?? { width: size, height: size, data: new Uint8Array(size * size * 3) }),
    alignFace: (_, __, size, { stop }) =>
      answer('align', stop, { width: size, height: size, data: new Uint8Array(size * size * 3) }),
    identify: (_, __, { stop }) => answer('identify', stop, new Float32Array(512).fill(0.1)),
    setLoras: (network, loras, { stop }) => {
      const lists = network.info.kind === 'unet' ? fake.loras : fake.textLoras;
      lists.push(loras.map(({ strength }) => strength));
      return answer('setLoras', stop, { changed: loras.length });
    },
    openLora: (path, _, { stop }) => {
      const textModules = path.includes('text') ? 2 : 0;
      const handle = { info: { modules: 3, textModules, unmatched: [], rank: 4, warnings: [] } };
      if (path.includes('faceid')) companions.add(handle);
      return answer('openLora', stop, handle);
    },
    save: ({ parts, stop }) => {
      const said = parts.map(() => ({ network: {} as never, leftOut: [] }));
      return answer('save', stop, { parts: said, bytes: 0, warnings: [] });
    },
    sameDeltas: (a, b, { stop }) => {
      const isAdapters = (it: DeltaSource): boolean => companions.has(it) || ('kind' in it.info && !!it.info.loraRank);
      return answer('sameDeltas', stop, isAdapters(a) && isAdapters(b));
    },
    sample: async (spec, onStep) => {
      fake.calls.push('sample');
      fake.samples.push(spec);
      for (const [row, { step }] of spec.rows.entries()) {
        await sleep(fake.stepMs);
        await checkStop(spec.stop);
        onStep?.({ row, step });
      }
      return {
        latents: { shape: [1, spec.height, spec.width, 4], data: new Float32Array(spec.height * spec.width * 4) },
      };
    },
    decode: (_, latents, { stop }) => {
      const [, height, width] = latents.shape;
      const pixels = { width: width * 8, height: height * 8, data: new Uint8Array(width * height * 192).fill(7) };
      return answer('decode', stop, pixels);
    },
    encode: (_, { width, height }, { stop }) => {
      const latents: Tensor = {
        shape: [1, height / 8, width / 8, 4],
        data: new Float32Array((width * height) / 16),
      };
      return answer('encode', stop, { mean: latents, spread: latents });
    },
    prepareInit: (_, { width, height, mask, stop }) => {
      const picture = { width, height, data: new Uint8Array(width * height * 3) };
      const latents: Tensor = { shape: [1, height / 8, width / 8, 1], data: new Float32Array((width * height) / 64) };
      const masked = mask ? { hidden: new Uint8Array(width * height), mask: latents } : {};
      return answer('prepareInit', stop, { picture, ...masked });
    },
    finishInit: (painted, _, { stop }) => answer('finishInit', stop, painted),
    upscale: (_, { width, height, stop }) =>
      answer('upscale', stop, { shape: [1, height, width, 4], data: new Float32Array(height * width * 4) }),
    ellipse: ({ width, height, stop }) =>
      answer('ellipse', stop, { width, height, data: new Uint8Array(width * height).fill(255) }),
    inspect: (path, { stop }) => {
      const isEncoder = path.includes('image_encoder');
      const tensors = isEncoder
        ? [
            { name: 'vision_model.embeddings.class_embedding', dtype: 'F16', shape: [160] },
            { name: 'visual_projection.weight', dtype: 'F16', shape: [128, 160] },
          ]
        : [];
      const adapter = isEncoder ? {} : { adapter: network('adapter', path).info };
      return answer('inspect', stop, {
        format: 'safetensors',
        kind: 'x',
        bytes: 1,
        metadata: {},
        tensors,
        warnings: [],
        ...adapter,
      });
    },
    run: () => answer('run', undefined, {}),
    close: () => {
      fake.closed = true;
    },
  };
  fake.host = { engine, device, stop: () => new FakeStop(), close: () => engine.close() };
  return fake as FakeEngine;
};
