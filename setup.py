"""Packaging of mmtbps. torch and the OpenMMLab stack are not hard requirements: see README."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithMim(build_py):
    """Puts tools, configs and the model index where ``mmtbps``, ``mim`` and ``mmtbps::...`` look.

    A wheel gets copies, an editable install links in the source tree.
    """

    def run(self):
        super().run()
        package = ROOT if self.editable_mode else Path(self.build_lib)
        mim = package / 'mmtbps' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in ('tools', 'configs', 'model-index.yml'):
            source, target = ROOT / name, mim / name
            if self.editable_mode:
                target.symlink_to(Path('..') / '..' / name)
            elif source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copyfile(source, target)


def version() -> str:
    scope = {}
    exec((ROOT / 'mmtbps' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


setup(
    name='mmtbps',
    version=version(),
    description='Text-based person search for the OpenMMLab stack',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmtbps', 'mmtbps.*']),
    package_data={'mmtbps': ['catalog.json', 'lexicon/*.json', 'datasets/transforms/assets/**/*',
                             'generation/assets/**/*', '**/templates/*.html']},
    cmdclass=dict(build_py=BuildWithMim),
    entry_points=dict(console_scripts=['mmtbps = mmtbps.commands.main:main']),
    python_requires='>=3.10',
    install_requires=[
        'numpy>=1.24', 'Pillow>=10.1', 'jinja2>=3.1', 'transformers>=4.40,<6', 'tokenizers',
        'safetensors'],
    extras_require=dict(
        mm=['mmengine>=0.11.0rc3,<1', 'mmcv-lite>=2.0.1,<2.4', 'mmpretrain>=1.2.0,<2'],
        onedl=['onedl-mmengine>=0.10.12', 'onedl-mmcv>=2.3.6', 'onedl-mmpretrain>=1.3.6'],
        pdg=['diffusers>=0.41,<0.43', 'accelerate', 'peft'],
        lora=['peft>=0.13'],
        search=['lancedb>=0.40,<0.41', 'pyarrow'],
        milvus=['pymilvus>=3,<4'],
        # torch first: see docs/guides/pretrained_models.md
        **{'open-clip': ['open_clip_torch>=3.3,<4']},
        demo=['gradio>=6.31,<7'],
        deploy=['onnx', 'onnxruntime>=1.23', 'onnxscript'],
        completion=['shtab>=1.13,<2'],
        clip=['ftfy>=6.1'],
        video=['trackers>=2.6,<3', 'av'],
        heif=['pillow-heif>=1'],
        jxl=['pillow-jxl-plugin>=1.3'],
        visualize=['scikit-learn'],
        tflite=['ai-edge-litert>=2,<3'],
        dev=['pytest', 'pytest-xdist>=3.6', 'pytest-randomly>=3.16', 'ruff', 'tensorboard', 'ftfy',
             'peft', 'playwright', 'axe-playwright-python', 'milvus-lite>=3,<4', 'shtab>=1.13,<2'],
    ),
)
