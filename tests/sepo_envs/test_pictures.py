"""Pictures of the table: every state of every game can be drawn, always in one size."""

import re
import subprocess
import sys
from dataclasses import replace
from random import Random
from xml.etree import ElementTree

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RenderCollection
from pettingzoo.test import render_test
from PIL import Image

from sepo_envs import aec, text
from sepo_envs.canvas import HEIGHT, MOST_PANELS, WIDTH, Canvas, Seat, headed, text_page
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import Episode, begin
from sepo_envs.find_opponent import known_opponents
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move
from sepo_envs.parallel import parallel_env

VARIANTS = [
    ("kuhn_poker", {}),
    ("kuhn_poker", {"hands": 30}),
    ("prisoners_dilemma", {}),
    ("prisoners_dilemma", {"rounds": 40, "noise": 0.3, "continuation": 0.99}),
    ("repeated_auction", {}),
    ("repeated_auction", {"rounds": 9, "bidders": 3}),
    ("repeated_auction", {"rounds": 2, "bidders": 12}),
    ("split_negotiation", {}),
    ("split_negotiation", {"rounds": 20, "pie": 1000}),
    ("item_negotiation", {}),
    ("item_negotiation", {"rounds": 12, "worth": "one of each", "redrawn": (0, 1)}),
]
SIMULTANEOUS = [name for name, domain in CATALOGUE.items() if domain.simultaneous]


def states(game, seed=0):
    """Every state on the way of one episode, one move in five forfeited."""
    rng, episode = Random(seed), begin(game)
    yield episode.state
    while episode.actor is not None:
        if episode.actor == CHANCE:
            choices, weights = zip(*game.chance_outcomes(episode.state), strict=True)
            episode = episode.play(rng.choices(choices, weights)[0])
        else:
            legal = game.legal_moves(episode.state, episode.actor)
            episode = episode.play(FORFEIT if rng.random() < 0.2 else rng.choice(legal))
        yield episode.state


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_state_of_an_episode_can_be_drawn(name, options):
    game = CATALOGUE[name].make(**options)
    drawn = [CATALOGUE[name].draw(game, state) for state in states(game)]
    assert {canvas.pixels().shape for canvas in drawn} == {(HEIGHT, WIDTH, 3)}


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_what_happens_changes_the_picture_and_nothing_else_does(name, options):
    """Chance that says nothing new to a spectator, such as "as meant", may leave it as it is."""
    game = CATALOGUE[name].make(**options)
    first, *_, last = states(game)
    assert np.array_equal(pixels(name, game, last), pixels(name, game, last))
    assert not np.array_equal(pixels(name, game, first), pixels(name, game, last))


def pixels(name, game, state):
    return CATALOGUE[name].draw(game, state).pixels()


def test_a_spectator_sees_both_cards():
    def drawn(*cards):
        episode = begin(KuhnPoker())
        for card in cards:
            episode = episode.play(card)
        return pixels("kuhn_poker", KuhnPoker(), episode.state)

    king, queen = drawn(Card.JACK, Card.KING), drawn(Card.JACK, Card.QUEEN)
    changed = np.argwhere((king != queen).any(axis=2))
    assert len(changed) > 0
    assert changed[:, 1].min() > WIDTH / 2  # only the card of player_1, on the right


def test_a_seat_sees_its_own_card_and_the_others_once_it_is_shown():
    def drawn(seat, *moves):
        episode = begin(KuhnPoker())
        for move in (Card.JACK, Card.KING, *moves):
            episode = episode.play(move)
        markup = CATALOGUE["kuhn_poker"].draw(KuhnPoker(), episode.state, seat).svg()
        return {letter for letter in "JQK" if f">{letter}</text>" in markup}

    assert drawn(None) == {"J", "K"}
    assert (drawn(0), drawn(1)) == ({"J"}, {"K"})
    assert drawn(0, Move.PASS, Move.BET, Move.PASS) == {"J"}  # folded
    assert drawn(0, Move.BET, Move.BET) == {"J", "K"}


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_the_markup_of_a_picture_says_what_the_painted_one_does(name, options):
    """It is well-formed, names nothing outside itself, and holds the words as text."""
    game = CATALOGUE[name].make(**options)
    for state in states(game):
        markup = CATALOGUE[name].draw(game, state).svg()
        root = ElementTree.fromstring(markup)
        words = [element.text for element in root if element.tag.endswith("text")]
        assert "player_0" in words
        assert "href" not in markup
        assert '"nan"' not in markup


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_game_without_a_picture_of_its_own_shows_its_words(name):
    domain = replace(CATALOGUE[name], picture=None)
    game = domain.make()
    for state in states(game):
        drawn = domain.draw(game, state)
        page = text_page(domain.title, domain.words(game).show(state), seats_of(game, state))
        assert np.array_equal(drawn.pixels(), page.pixels())


def seats_of(game, state):
    episode = Episode(game, state)
    acting = game.actors(state)
    return [
        Seat(f"player_{seat}", episode.returns[seat], seat in acting) for seat in range(game.seats)
    ]


def test_a_page_of_words_shows_the_newest_lines_and_says_what_is_left_out():
    lines = [f"line {number}" for number in range(40)]

    def page(*shown):
        return text_page("Nim", "\n".join(shown), [Seat("player_0", 1.0)]).pixels()

    assert np.array_equal(page(*lines), page("other", *lines[1:]))
    assert not np.array_equal(page(*lines), page(*lines[:-1], "other"))
    assert not np.array_equal(page(*lines), page(*lines[-14:]))


@pytest.mark.parametrize("seats", [1, 2, MOST_PANELS, MOST_PANELS + 1, 100])
def test_the_head_has_room_for_any_number_of_seats(seats):
    table = [Seat(f"player_{number}", -12.5, True, 3) for number in range(seats)]
    assert headed("Nim", "round 1 of 3", table).pixels().shape == (HEIGHT, WIDTH, 3)


def test_long_text_is_set_smaller_until_it_fits():
    canvas = Canvas()
    canvas.text("w" * 300, (WIDTH / 2, 100), size=40, width=200)
    inked = np.argwhere((canvas.pixels() != Canvas().pixels()).any(axis=2))[:, 1]
    assert inked.min() >= WIDTH / 2 - 102
    assert inked.max() <= WIDTH / 2 + 102


def test_a_picture_is_saved_as_it_is(tmp_path):
    canvas = headed("Nim", "", [Seat("player_0", 1.0)])
    canvas.save(tmp_path / "nim.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "nim.png")), canvas.pixels())


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_render_test_of_pettingzoo_passes_in_every_mode(name, capsys):
    render_test(lambda **options: aec.env(name, **options))
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", SIMULTANEOUS)
def test_the_parallel_environment_draws_after_every_turn(name):
    table = parallel_env(name, render_mode="rgb_array")
    table.reset(seed=1)
    frames = [table.render()]
    while table.agents:
        table.step({agent: int(np.argmax(table.game.moves)) for agent in table.agents})
        frames.append(table.render())
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert len({frame.tobytes() for frame in frames}) == len(frames)


def test_the_text_environment_draws_the_same_table():
    written = text.env("kuhn_poker", render_mode="rgb_array")
    structured = aec.env("kuhn_poker", render_mode="rgb_array")
    for table, bet in ((written, "[bet]"), (structured, 1)):
        table.reset(seed=3)
        table.step(bet)
    assert np.array_equal(written.render(), structured.render())


@pytest.mark.parametrize("kind", ["", "Text"])
@pytest.mark.parametrize("name", CATALOGUE)
def test_gymnasium_collects_a_video_of_frames_of_one_size(name, kind):
    domain = CATALOGUE[name]
    table = gymnasium.make(
        f"sepo_envs:sepo/{domain.title}{kind}-v0",
        opponent=an_opponent(name),
        render_mode="rgb_array",
    )
    video = RenderCollection(table)
    video.reset(seed=0)
    over = False
    while not over:
        _, _, over, cut, _ = video.step(video.action_space.sample())
        assert not cut
    frames = video.render()
    assert len(frames) >= 2
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((HEIGHT, WIDTH, 3), "uint8")}


def an_opponent(name):
    return next(iter(known_opponents(name)))


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_checker_of_gymnasium_passes_with_its_render_checks(name):
    table = gymnasium.make(
        f"sepo_envs:sepo/{CATALOGUE[name].title}-v0",
        opponent=an_opponent(name),
        render_mode="rgb_array",
    )
    check_env(table.unwrapped, skip_render_check=False)


def test_drawing_without_pillow_says_what_to_install():
    script = (
        "import sys; sys.modules['PIL'] = None\n"
        "from sepo_envs.aec import GameEnv\n"
        "table = GameEnv('kuhn_poker', render_mode='rgb_array')\n"
        "table.reset(seed=0)\n"
        "table.render()\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert re.search(r'ImportError: pictures .* Run `pip install "sepo\[render\]"`', run.stderr)


def test_the_settled_hands_are_the_newest_that_fit():
    """Hand 1 is off the picture after 30 hands, so how it went no longer shows."""

    def after(first):
        episode = begin(KuhnPoker(hands=30))
        for move in (Card.KING, Card.JACK, *first, *[Card.QUEEN, Card.JACK, "pass", "pass"] * 28):
            episode = episode.play(Move(move) if isinstance(move, str) else move)
        return pixels("kuhn_poker", KuhnPoker(hands=30), episode.state)

    # Both pay player_0 a point: the bet is folded to, or the King wins without a bet.
    assert np.array_equal(after([Move.BET, Move.PASS]), after([Move.PASS, Move.PASS]))
