// SDXL: a reference, and what its second text encoder and its sizes are for. It takes files of yours: an SDXL folder or
// checkpoint file, ip-adapter-plus_sdxl_vit-h.safetensors and the image encoder of ViT-H (models/image_encoder).
//   node examples/adapters/sdxl.mjs sd_xl_base_1.0.safetensors ip-adapter-plus_sdxl_vit-h.safetensors models/image_encoder
import { Pipeline } from 'node-ip-adapter';
import { expectUnlike, person, scene, sheet } from './stage.mjs';

const [path, file, encoder, side = '1024'] = process.argv.slice(2);
if (!encoder) throw new Error('Give an SDXL model, an adapter for it and its image encoder');
const pipe = await Pipeline.load(path);
const adapter = await pipe.addAdapter(file, { encoder });
const size = { width: Number(side), height: Number(side) };
const draw = async (more) => (await pipe.generate({ ...scene, ...size, ...more })).images[0];

const references = [{ adapter, image: person(4), scale: 0.6 }];
const without = await draw({});
const picture = await draw({ references });
expectUnlike(picture, without, 'with a reference');
const styled = await draw({ references, prompt2: 'watercolour, soft light' });
expectUnlike(styled, picture, 'with words of its own for the second encoder', 0);
const small = await draw({ references, size: { original: [256, 256] } });
expectUnlike(small, picture, 'as a picture that was 256 pixels wide', 0);
await sheet('sdxl', [person(4), without, picture, styled, small]);
await pipe.dispose();
