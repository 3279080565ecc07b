import { defaultModel, Pipeline } from 'node-ip-adapter';

export const dynamic = 'force-dynamic';

export async function GET() {
  const { path, adapters, face, references } = defaultModel();
  const pipe = await Pipeline.load(path);
  await pipe.addAdapter(adapters['faceid-plusv2'], { face });
  const image = references.find((file) => file.endsWith('person-1-1.png'));
  const { images } = await pipe.generate({ prompt: 'portrait', references: [{ image }], seed: 7, steps: 2 });
  await pipe.dispose();
  return new Response(await images[0].toBuffer(), { headers: { 'content-type': 'image/png' } });
}
