import 'reflect-metadata';
import { Injectable, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { defaultModel, type GeneratedImage, Pipeline } from 'node-ip-adapter';

@Injectable()
class Portraits implements OnModuleInit, OnModuleDestroy {
  #pipe!: Pipeline;

  async onModuleInit(): Promise<void> {
    const { path, adapters, face } = defaultModel();
    this.#pipe = await Pipeline.load(path);
    await this.#pipe.addAdapter(adapters['faceid-plusv2'], { face });
  }

  async draw(image: string): Promise<GeneratedImage> {
    const { images } = await this.#pipe.generate({ prompt: 'portrait', references: [{ image }], seed: 7, steps: 2 });
    return images[0]!;
  }

  async onModuleDestroy(): Promise<void> {
    await this.#pipe.dispose();
  }
}

@Module({ providers: [Portraits] })
class App {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
  const photo = defaultModel().references.find((file) => file.endsWith('person-1-1.png'))!;
  const picture = await app.get(Portraits).draw(photo);
  await picture.toFile('drawn.png');
  await app.close();
}

main();
