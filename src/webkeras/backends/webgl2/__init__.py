"""WebGL2: nodes become dispatches (pure Python), and one small JavaScript file replays them."""
