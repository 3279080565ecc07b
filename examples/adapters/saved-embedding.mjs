// A person's pictures are read once; what was read is kept in a file and used in their place.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Embedding } from 'node-ip-adapter';
import { attach, draw, expectAlike, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'faceid-plusv2');
const images = [person(3, 1), person(3, 2), person(3, 3)];
const folder = await mkdtemp(join(tmpdir(), 'embedding-'));
const file = join(folder, 'person-3.safetensors');
await writeFile(file, (await adapter.encode(images, { name: 'person 3' })).toBuffer());
const embedding = Embedding.from(await readFile(file));
console.log(embedding.info);
const picture = await draw(pipe, [{ adapter, embedding }]);
expectAlike(picture, await draw(pipe, [{ adapter, images }]), 'from the file, as from the pictures');
expectUnlike(picture, await draw(pipe, []), 'with the person, as without');
await sheet('saved-embedding', [...images, picture]);
await rm(folder, { recursive: true });
await pipe.dispose();
