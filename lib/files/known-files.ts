import { stat } from 'node:fs/promises';
import { sha256 } from './files.js';

/** What is known of a file by its content. Some hashes are the first digits, as the publishers' pages show them. */
export interface KnownFile {
  readonly name: string;
  /** Sizes in bytes that the file may have: only then it is worth hashing. */
  readonly bytes: readonly number[];
  readonly sha256: string;
  /** Of a FaceID Plus adapter: its version, which its tensors cannot tell. */
  readonly version?: 'v1' | 'v2';
  readonly licence?: string;
  /** A recogniser whose identities FaceID adapters were trained on. */
  readonly recognizer?: true;
}

const SKETCH = 'node-ip-adapter sketch family: Apache-2.0';
const INSIGHTFACE = 'InsightFace model packs: non-commercial research only';
const PLUS_SD15 = [156_558_503, 156_558_509];

const KNOWN: readonly KnownFile[] = [
  { name: 'ip-adapter-faceid-plus_sd15', bytes: PLUS_SD15, sha256: '252fb53e0d01', version: 'v1' },
  { name: 'ip-adapter-faceid-plusv2_sd15', bytes: PLUS_SD15, sha256: '26d0d86a1d60', version: 'v2' },
  { name: 'ip-adapter-faceid-plusv2_sdxl', bytes: [1_487_555_181], sha256: 'c6945d82b543', version: 'v2' },
  {
    name: 'w600k_r50',
    bytes: [174_383_860],
    sha256: '4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43',
    recognizer: true,
    licence: INSIGHTFACE,
  },
  {
    name: 'sketch base',
    bytes: [774_960],
    sha256: 'facbde766d376b37d505479e094654b80c072af8636ffe75e266bf8058d2c692',
    licence: SKETCH,
  },
  {
    name: 'sketch plus',
    bytes: [2_304_888],
    sha256: 'bd9289a23ad4c7842cd707bd090c20946a656051707b5cc23be73a0b3365a6d0',
    licence: SKETCH,
  },
  {
    name: 'sketch faceid',
    bytes: [3_523_487],
    sha256: '30e9fd39b876d049961e1377d6cc7581910bb037cdf9f78db58bd986a6372855',
    licence: SKETCH,
  },
  {
    name: 'sketch faceid-plusv2',
    bytes: [5_196_255],
    sha256: '30e41ccb4f0e123c5e8ddce823990e0dda117933e98ff0f8b0f45165277596dc',
    version: 'v2',
    licence: SKETCH,
  },
  {
    name: 'sketch faceid-portrait',
    bytes: [5_901_417],
    sha256: 'f9592fbbf0dccd2878c5a8d4ad97334a37ec3b810f715c72ca3601f740d44d42',
    licence: SKETCH,
  },
  {
    name: 'sketch recogniser',
    bytes: [7_113_974],
    sha256: '841e97351ff24c577ac876bfefde6e15be82499e0572b71e2e35a29dfadeb098',
    recognizer: true,
    licence: SKETCH,
  },
];

/** The row of the file at `path`, undefined when its content is none of ours. Other sizes are not hashed. */
export const knownFile = async (path: string): Promise<KnownFile | undefined> => {
  const size = await stat(path).then(
    (facts) => facts.size,
    () => -1,
  );
  const candidates = KNOWN.filter((file) => file.bytes.includes(size));
  if (candidates.length === 0) return undefined;
  const hash = await sha256(path);
  return candidates.find((file) => hash.startsWith(file.sha256));
};
