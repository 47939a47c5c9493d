"""Where the recipe reads its packages and keeps what it derives from them."""

from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent
DEMO_MODULES = DEMO / "node_modules"
RECIPE_MODULES = DEMO / "recipe" / "node_modules"
PHRASES = DEMO / "recipe" / "phrases.json"
MODEL = DEMO / "model"
WORK = DEMO.parent / "build" / "recipe"
