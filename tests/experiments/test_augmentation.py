import pytest
import torch

from experiments.augmentation import AS_IT_IS, Augmentation, View, look

IMAGES = torch.arange(2 * 3 * 5 * 5, dtype=torch.float32).view(2, 3, 5, 5)


def changed(augmentation, *changes):
    return augmentation.apply(IMAGES, torch.tensor(changes))


def test_an_image_that_is_not_to_be_moved_stays_as_it_is():
    same = changed(Augmentation(shift=2, mirror=True), (0, 0, 0), (0, 0, 0))
    assert torch.equal(same, IMAGES)


def test_each_image_of_a_batch_is_moved_as_its_own_row_says():
    moved = changed(Augmentation(shift=2, mirror=False), (1, 0, 0), (0, -2, 0))
    assert torch.equal(moved[0, :, 1:], IMAGES[0, :, :-1])
    assert torch.equal(moved[1, :, :, :-2], IMAGES[1, :, :, 2:])


def test_a_mirrored_image_is_read_from_right_to_left():
    mirrored = changed(Augmentation(shift=0, mirror=True), (0, 0, 1), (0, 0, 0))
    assert torch.equal(mirrored[0], IMAGES[0].flip(2))
    assert torch.equal(mirrored[1], IMAGES[1])


@pytest.mark.parametrize(("padding", "row"), [("background", IMAGES.min()), ("reflect", None)])
def test_what_comes_in_at_the_edge_is_background_or_the_image_backwards(padding, row):
    moved = changed(Augmentation(shift=1, mirror=False, padding=padding), (1, 0, 0), (1, 0, 0))
    expected = IMAGES[:, :, 1] if row is None else row.expand(2, 3, 5)
    assert torch.equal(moved[:, :, 0], expected)


def test_the_changes_follow_from_seed_and_epoch_and_stay_within_the_shift():
    augmentation = Augmentation(shift=2, mirror=True)
    first = augmentation.draw(1000, seed=0, epoch=0)
    assert torch.equal(first, augmentation.draw(1000, seed=0, epoch=0))
    assert not torch.equal(first, augmentation.draw(1000, seed=1, epoch=0))
    assert set(first[:, :2].flatten().tolist()) == {-2, -1, 0, 1, 2}


def test_every_image_turns_around_from_epoch_to_epoch():
    augmentation = Augmentation(shift=2, mirror=True)
    sides = [augmentation.draw(1000, seed=0, epoch=epoch)[:, 2] for epoch in range(3)]
    assert torch.equal(sides[0], 1 - sides[1])
    assert torch.equal(sides[0], sides[2])
    assert 400 < sides[0].sum() < 600


def test_a_view_moves_and_mirrors_all_images():
    assert torch.equal(look(IMAGES, AS_IT_IS, "reflect"), IMAGES)
    assert torch.equal(look(IMAGES, View(mirrored=True), "reflect"), IMAGES.flip(3))
    moved = look(IMAGES, View(down=-1, right=1), "reflect")
    assert torch.equal(moved[:, :, :-1, 1:], IMAGES[:, :, 1:, :-1])
