// A word of your own: a text embedding made up here, the vector of a word that the model knows under a name that it does not.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { draw, expectAlike, expectUnlike, model, open, sheet } from './stage.mjs';

const KNOWN = 'green';

/** The vector of a token: its row in the text encoder's table, 16-bit numbers as they are in the file. */
const tokenVector = async (word) => {
  const vocabulary = JSON.parse(await readFile(join(model.path, 'tokenizer', 'vocab.json'), 'utf8'));
  const file = await readFile(join(model.path, 'text_encoder', 'model.safetensors'));
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, start));
  const { dtype, shape, data_offsets: offsets } = header['text_model.embeddings.token_embedding.weight'];
  const row = (offsets[1] - offsets[0]) / shape[0];
  const at = start + offsets[0] + vocabulary[`${word}</w>`] * row;
  return { dtype, shape: [1, shape[1]], bytes: file.subarray(at, at + row) };
};

/** A safetensors file as kohya writes text embeddings. */
const embeddingFile = ({ dtype, shape, bytes }) => {
  const header = Buffer.from(JSON.stringify({ emb_params: { dtype, shape, data_offsets: [0, bytes.length] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, bytes]);
};

const folder = await mkdtemp(join(tmpdir(), 'textual-inversion-'));
const file = join(folder, 'my-colour.safetensors');
await writeFile(file, embeddingFile(await tokenVector(KNOWN)));
const pipe = await open();
const colour = await pipe.addTextEmbedding(file); // the word is the file's name; or give { token: 'my-colour' }
console.log(`${colour.name}: ${colour.info.vectors} vector of ${colour.info.widths} numbers`);

const scene = (hoodie) => `portrait of a person, smiling, wearing a ${hoodie}hoodie, yellow background`;
const without = await draw(pipe, [], { prompt: scene('') });
const word = await draw(pipe, [], { prompt: scene('my-colour ') });
const away = await draw(pipe, [], { prompt: scene(''), negativePrompt: scene('my-colour ') });
const known = await draw(pipe, [], { prompt: scene(`${KNOWN} `) });
expectUnlike(word, without, 'my-colour against no colour');
expectUnlike(away, without, 'my-colour in the negative prompt');
expectAlike(word, known, `my-colour against ${KNOWN}`);
await sheet('textual-inversion', [without, word, away, known]);
await rm(folder, { recursive: true });
await pipe.dispose();
