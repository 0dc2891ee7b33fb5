"""The objective of MiniLMv2 (Wang et al. 2021): the student's attention relations should match the teacher's.

Tensor names end in their shape: B batch, L tokens, H hidden size, A relation heads, D size of a head.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

Qkv = tuple[Tensor, Tensor, Tensor]

_NEGLIGIBLE = -1e9  # logit of a padded key; finite, so that its KL term, 0 * log 0, is 0 and not NaN


def relations(states_BLH: Tensor, mask_BL: Tensor, heads: int) -> Tensor:
    """Log-probabilities of the relations between tokens: the log-softmax of X Xᵀ / sqrt(H / A) over the keys.

    Args:
        states_BLH: queries, keys or values of one layer.
        mask_BL: 1 where there is a token, 0 where there is padding.
        heads: relation heads; must divide H.

    Returns:
        fp32 [B, A, L, L]. Padded keys have probability 0.
    """
    batch, length, hidden = states_BLH.shape
    width = hidden // heads
    x_BALD = states_BLH.view(batch, length, heads, width).transpose(1, 2)
    logits = (x_BALD @ x_BALD.transpose(2, 3)).float() * width**-0.5
    masked = logits.masked_fill(mask_BL[:, None, None, :] == 0, _NEGLIGIBLE)
    return F.log_softmax(masked, dim=-1)


def relation_loss(teacher: Qkv, student: Qkv, mask_BL: Tensor, heads: int, weights_B: Tensor | None = None) -> Tensor:
    """The sum of KL(teacher ‖ student) over the Q-Q, K-K and V-V relations (MiniLMv2, equation 5).

    The divergence is summed over keys and averaged over relation heads, over the valid queries of each sentence, and
    over the sentences, so padding does not change it.

    Args:
        teacher, student: queries, keys and values [B, L, H], each model with its own H.
        mask_BL: 1 where there is a token.
        heads: relation heads; must divide both hidden sizes.
        weights_B: the weight of each sentence; by default 1 / B. With several devices it is the sentence's share of the
            whole batch, and 0 for a sentence that only fills up the batch.

    Returns:
        A scalar in fp32.
    """
    lengths_B = mask_BL.sum(1)
    if weights_B is None:
        weights_B = torch.full_like(lengths_B, 1 / len(lengths_B), dtype=torch.float32)
    total = torch.zeros((), device=mask_BL.device)
    for teacher_BLH, student_BLH in zip(teacher, student, strict=True):
        with torch.no_grad():
            target_BALL = relations(teacher_BLH, mask_BL, heads)
        kl_BALL = F.kl_div(relations(student_BLH, mask_BL, heads), target_BALL, log_target=True, reduction="none")
        kl_BL = kl_BALL.sum(3).mean(1) * mask_BL
        total = total + (kl_BL.sum(1) / lengths_B * weights_B).sum()
    return total
